"""Which tokens begin and end a document, and the chat template: the small file beside ``tokenizer.json``.

`text_config.json` is Stretto's own, with a version. A folder in Hugging Face's form (``tokenizer_config.json`` and
perhaps ``chat_template.jinja``) is read too; where it names no end of a turn, well-known names are looked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field

from stretto.spec.errors import UserError, nearest
from stretto.spec.value import Value, load_json

CONFIG_FILE = "text_config.json"
BEGIN = "<|begin_of_text|>"
END = "<|end_of_text|>"
HEADER_BEGIN = "<|start_header_id|>"
HEADER_END = "<|end_header_id|>"
TURN_END = "<|eot_id|>"
SPECIALS = (BEGIN, END, HEADER_BEGIN, HEADER_END, TURN_END)
"""Special tokens of a tokenizer trained here, in the order of their ids."""
_FOREIGN_TURN_ENDS = (TURN_END, "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<turn|>")

DEFAULT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message['content'] is not string or message['tool_calls'] %}
        {{- raise_exception('this template takes messages whose content is text, without tool calls') }}
    {%- endif %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
"""Llama 3's template (Meta 2024), without tools."""


class TextConfig(Value):
    """The roles of a tokenizer's special tokens, by name."""

    format: Literal["stretto.text/1"] = "stretto.text/1"
    begin: str = Field(default=BEGIN, min_length=1)
    """The token that starts every document."""
    end: str = Field(default=END, min_length=1)
    """The token that ends every document."""
    turn_ends: tuple[str, ...] = (TURN_END,)
    """Further tokens that end a generation, such as the one after a chat turn."""
    chat_template: str | None = DEFAULT_TEMPLATE
    """A Jinja template in Hugging Face's form; null for a tokenizer that is not for chat."""


def read_config(folder: Path, known: Collection[str]) -> TextConfig:
    """The token roles for the tokenizer in `folder`, whose tokens are `known`.

    Raises:
        UserError: neither file is there, one is damaged, or it names a token that the tokenizer does not have.
    """
    own = folder / CONFIG_FILE
    foreign = folder / "tokenizer_config.json"
    if own.exists():
        config, path = load_json(TextConfig, own, "a description of a tokenizer's special tokens"), own
    elif foreign.exists():
        config, path = _foreign(folder, foreign, known), foreign
    elif {BEGIN, END, TURN_END} <= set(known):
        return TextConfig()
    else:
        raise UserError(
            f"{own} does not exist; expected it beside tokenizer.json to name the tokens that begin and end a "
            f'document, such as {{"format": "stretto.text/1", "begin": "<s>", "end": "</s>", "turn_ends": []}}.'
        )
    for field, name in _named(config):
        if name not in known:
            close = nearest(name, known)
            hint = f" (did you mean {close!r}?)" if close else ""
            raise UserError(f"{path}: {field} is {name!r}; expected a token of the tokenizer{hint}.")
    return config


def _named(config: TextConfig) -> list[tuple[str, str]]:
    return [("begin", config.begin), ("end", config.end), *(("turn_ends", name) for name in config.turn_ends)]


def _foreign(folder: Path, path: Path, known: Collection[str]) -> TextConfig:
    table = _table(path)
    end = _token(table, "eos_token")
    if end is None:
        raise UserError(f"{path}: eos_token is missing; expected the token that ends a document.")
    turns = tuple(name for name in _FOREIGN_TURN_ENDS if name in known and name != end)
    # GPT-2 and Qwen have no begin token: documents are then separated by the end token alone, at both ends.
    begin = _token(table, "bos_token") or end
    return TextConfig(begin=begin, end=end, turn_ends=turns, chat_template=_template(folder, table))


def _table(path: Path) -> Mapping[str, Any]:
    try:
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a tokenizer's configuration: {error}.") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} is not a tokenizer's configuration; expected a table.")
    return cast("Mapping[str, Any]", data)


def _token(table: Mapping[str, Any], field: str) -> str | None:
    found: Any = table.get(field)
    name: Any = cast("Mapping[str, Any]", found).get("content") if isinstance(found, dict) else found
    return name if isinstance(name, str) and name else None


def _template(folder: Path, table: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read as a chat template: {error}.") from None
    found: Any = table.get("chat_template")
    if isinstance(found, list):
        named: dict[str, Any] = {t["name"]: t["template"] for t in cast("list[dict[str, Any]]", found)}
        found = named.get("default")
    return found if isinstance(found, str) else None
