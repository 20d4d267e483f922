"""Chat: messages to text by a Jinja template, and to ids with the loss on chosen turns.

Templates run as `transformers` runs them (its sandboxed environment, `raise_exception`, `strftime_now`, `tojson`,
loop controls, ``{% generation %}`` blocks), so a model's own template gives the same text. Two things are added.

*No injection.* A rendered text mixes what the template wrote with what people wrote, and only the template may write
special tokens. So before rendering, a private character (the shield) is put before every place in a message or tool
where a special token's name begins, or where one might begin and go on in the next string; after rendering, a name is
a special token only where no shield stands before it, and the shields are taken out.

*Exact loss.* The content of a chosen turn is marked at both ends, and the marks are followed through a second rendering
that must otherwise equal the first; where the template trims contents, the marks stand inside the outer whitespace.
Where it does more than trim (splits the content, adds tool calls), the turn is what follows the prompt that would ask
for it. The loss covers the content, whitespace that the template puts between prompt and content (Llama 2, Mistral) and
everything up to the end-of-turn token: what generation has to write. Text is tokenised separately before and inside a
chosen turn, as it is in generation, so a prompt's ids are always a prefix of the conversation's.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, TypeAlias, cast

from stretto.spec.errors import UserError, bad_value, unknown_name
from stretto.text.template import render_template
from stretto.text.tokenizer import Tokenizer

Message: TypeAlias = Mapping[str, Any]
ROLES = ("assistant", "developer", "environment", "function", "ipython", "system", "tool", "user")
"""Roles that a message may have: a template can write them next to its own markup, so they are not free text."""


def render_chat(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    add_generation_prompt: bool = False,
) -> str:
    """The text of a conversation, as `transformers` renders it.

    Args:
        tokenizer: whose template and token names are used.
        messages: tables with ``role`` and ``content``, and whatever else the template reads.
        tools: schemas for templates that describe tools.
        add_generation_prompt: whether the text ends with the opening of an assistant turn.

    Raises:
        UserError: a message is malformed, the template refuses it, there is no template, or it knows no tools.
    """
    _check(messages)
    config = tokenizer.config
    if config.chat_template is None:
        raise UserError("the tokenizer has no chat template; expected one in its text_config.json (chat_template).")
    if tools is not None and "tools" not in config.chat_template:
        raise UserError("the tokenizer's chat template describes no tools; leave them out or give another template.")
    values = {
        "messages": messages,
        "tools": tools,
        "add_generation_prompt": add_generation_prompt,
        "bos_token": config.begin,
        "eos_token": config.end,
    }
    return render_template(config.chat_template, values)


def encode_chat(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    loss_roles: Collection[str] = ("assistant",),
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    add_generation_prompt: bool = False,
) -> tuple[list[int], list[bool]]:
    """The ids of a conversation, and which of them carry loss.

    Args:
        tokenizer: whose template and ids are used.
        messages: as in `render_chat`.
        loss_roles: whose turns carry loss; none for a prompt.
        tools: as in `render_chat`.
        add_generation_prompt: as in `render_chat`.

    Returns:
        Ids, and for each whether it belongs to the content or the end of a chosen turn.

    Raises:
        UserError: as in `render_chat`, or the template changes a chosen turn so that its place cannot be told.
    """
    check_roles("loss_roles", loss_roles)
    _check(messages)
    shield, start, stop = _private_characters(messages, tools)
    guard = _Guard(shield, tuple(tokenizer.special))
    safe = [cast("Message", guard.apply(message)) for message in messages]
    safe_tools = None if tools is None else [cast("Mapping[str, Any]", guard.apply(tool)) for tool in tools]
    chosen = [i for i, message in enumerate(messages) if message["role"] in loss_roles]
    rendering = _Rendering(tokenizer, safe, safe_tools, add_generation_prompt)
    text = rendering.text(safe)
    spans = _marked(rendering, text, chosen, start + stop)
    if spans is None:
        spans = [_by_prompt(rendering, text, i) for i in chosen]
    else:
        spans = _with_lead(rendering, text, chosen, spans)
    return _encode(tokenizer, guard, text, spans)


class _Rendering:
    """One conversation's template with everything but the messages' text settled."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None,
        add_generation_prompt: bool,
    ) -> None:
        self.tokenizer, self.messages, self.tools = tokenizer, messages, tools
        self.prompt = add_generation_prompt

    def text(self, messages: Sequence[Message]) -> str:
        return render_chat(self.tokenizer, messages, tools=self.tools, add_generation_prompt=self.prompt)

    def before(self, turn: int) -> str:
        return render_chat(self.tokenizer, self.messages[:turn], tools=self.tools, add_generation_prompt=True)


class _Guard:
    """Puts a shield before every place in people's text where a special token begins or might begin."""

    def __init__(self, shield: str, names: tuple[str, ...]) -> None:
        self.shield = shield
        whole = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        # The first characters alone rule out almost every place; a tokenizer may have hundreds of names.
        first = "[" + "".join(sorted({re.escape(name[0]) for name in names})) + "]"
        self._risky = re.compile(f"(?={first})(?=(?:{whole}))")
        self._beginnings = frozenset(name[:n] for name in names for n in range(1, len(name)))
        self._longest = max(map(len, self._beginnings), default=0)
        self.special = re.compile(f"(?={first})(?<!{re.escape(shield)})(?:{whole})")

    def apply(self, value: object) -> object:
        """`value` with every string in it shielded; roles are checked instead."""
        if isinstance(value, str):
            return self._shielded(value)
        if isinstance(value, Mapping):
            table = cast("Mapping[Any, Any]", value)
            return {self.apply(k): v if k == "role" else self.apply(v) for k, v in table.items()}
        if isinstance(value, list | tuple):
            return [self.apply(v) for v in cast("Sequence[object]", value)]
        return value

    def _shielded(self, text: str) -> str:
        places = {found.start() for found in self._risky.finditer(text)}
        for place in range(max(len(text) - self._longest, 0), len(text)):
            if text[place:] in self._beginnings:
                places.add(place)
        cuts = [0, *sorted(places), len(text)]
        return self.shield.join(text[a:b] for a, b in pairwise(cuts))


def check_roles(field: str, roles: Collection[str]) -> None:
    """Refuse a role that is none of `ROLES`; `field` names it in the sentence."""
    for role in roles:
        if role not in ROLES:
            raise unknown_name(field, role, ROLES)


def _check(messages: Sequence[Message]) -> None:
    for i, message in enumerate(cast("Sequence[object]", messages)):
        if not isinstance(message, Mapping):
            raise bad_value(f"messages[{i}]", message, "a table with role and content")
        table = cast("Mapping[str, object]", message)
        role, content = table.get("role"), table.get("content")
        if content is None and len(table) == 1:
            raise UserError(f"messages[{i}].content is missing; expected text.")
        if not isinstance(content, str | list | tuple | None):
            raise bad_value(f"messages[{i}].content", content, "text, or a list of parts")
        if not isinstance(role, str):
            raise bad_value(f"messages[{i}].role", role, "one of " + ", ".join(ROLES))
        check_roles(f"messages[{i}].role", [role])


def _private_characters(messages: object, tools: object) -> tuple[str, str, str]:
    used = json.dumps([messages, tools], ensure_ascii=False, default=str)
    free = (c for c in map(chr, range(0xE000, 0xF900)) if c not in used)
    try:
        return next(free), next(free), next(free)
    except StopIteration:
        raise UserError("the conversation uses every private character of Unicode; expected three free ones.") from None


def _marked(rendering: _Rendering, text: str, chosen: list[int], marks: str) -> list[tuple[int, int]] | None:
    """Where the contents of the chosen turns stand in `text`; None where the template does more than trim them."""
    contents = {i: rendering.messages[i].get("content") for i in chosen}
    simple = all(isinstance(c, str) and c.strip() for c in contents.values())
    if not simple or any(rendering.messages[i].get("tool_calls") for i in chosen):
        return None
    texts = {i: cast("str", content) for i, content in contents.items()}
    whole = {i: marks[0] + content + marks[1] for i, content in texts.items()}
    inside = {
        i: content.replace(core := content.strip(), marks[0] + core + marks[1], 1) for i, content in texts.items()
    }
    found = _follow(rendering, text, whole, marks)
    return found if found is not None or inside == whole else _follow(rendering, text, inside, marks)


def _follow(rendering: _Rendering, text: str, marked: Mapping[int, str], marks: str) -> list[tuple[int, int]] | None:
    """Where the marks of these contents come out in `text`; None where they change it."""
    messages = [
        {**message, "content": marked[i]} if i in marked else message for i, message in enumerate(rendering.messages)
    ]
    pieces = re.split(f"([{marks}])", rendering.text(messages))
    if "".join(pieces[::2]) != text or "".join(pieces[1::2]) != marks * len(marked):
        return None
    ends = list(accumulate(map(len, pieces[:-1:2])))
    return list(zip(ends[::2], ends[1::2], strict=True))


def _with_lead(
    rendering: _Rendering, text: str, chosen: list[int], spans: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Let the assistant's spans begin where its prompt ends, if only whitespace is between that and the content."""
    assistant = [rendering.messages[i]["role"] == "assistant" for i in chosen]
    if True not in assistant:
        return spans
    first = assistant.index(True)
    try:
        prompt = rendering.before(chosen[first])
    except UserError:  # a template may refuse what comes before, such as nothing at all
        return spans
    lead = text[len(prompt) : spans[first][0]] if text.startswith(prompt) else ""
    if not lead.isspace():
        return spans
    return [
        (start - len(lead), stop) if mine and text.endswith(lead, 0, start) else (start, stop)
        for mine, (start, stop) in zip(assistant, spans, strict=True)
    ]


def _by_prompt(rendering: _Rendering, text: str, turn: int) -> tuple[int, int]:
    """Where turn `turn` starts, as the end of the prompt that asks for it; its end is left to the next end token."""
    prompt = rendering.before(turn)
    if not text.startswith(prompt):
        raise UserError(
            f"messages[{turn}]: the chat template rewrites this turn or the ones before it; expected one that keeps "
            f"them, so that the loss can be placed exactly."
        )
    return len(prompt), len(prompt)


def _encode(
    tokenizer: Tokenizer, guard: _Guard, text: str, spans: list[tuple[int, int]]
) -> tuple[list[int], list[bool]]:
    specials = [(m.start(), m.end(), tokenizer.special[m.group()]) for m in guard.special.finditer(text)]
    spans = [(start, _turn_end(tokenizer, specials, start, stop)) for start, stop in spans]
    pieces = list(_pieces(text, specials, spans))
    plain = [text[a:b].replace(guard.shield, "") for a, b, special in pieces if special is None]
    encoded = iter(tokenizer.encode_batch(plain))
    ids: list[int] = []
    loss: list[bool] = []
    starts = [start for start, _ in spans]
    for start, _, special in pieces:
        found = next(encoded) if special is None else [special]
        span = bisect.bisect_right(starts, start) - 1
        ids.extend(found)
        loss.extend([span >= 0 and start < spans[span][1]] * len(found))
    return ids, loss


def _turn_end(tokenizer: Tokenizer, specials: list[tuple[int, int, int]], start: int, stop: int) -> int:
    """The end of the first end token at or after `stop`, if it is the next special token there."""
    following = bisect.bisect_left(specials, (max(start, stop), 0, 0))
    if following < len(specials) and specials[following][2] in tokenizer.end_tokens:
        return specials[following][1]
    return stop


def _pieces(
    text: str, specials: list[tuple[int, int, int]], spans: list[tuple[int, int]]
) -> Iterator[tuple[int, int, int | None]]:
    """`text` cut at special tokens and at borders of `spans`: start, stop, and the id of a special token."""
    ids = {start: special for start, _, special in specials}
    ends = {start: stop for start, stop, _ in specials}
    inside = {stop for _, stop, _ in specials} | set(ends)
    cuts = sorted({0, len(text), *inside, *(place for span in spans for place in span)})
    yield from ((a, b, ids.get(a)) for a, b in pairwise(cuts))
