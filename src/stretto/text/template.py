"""Chat templates: Jinja in a sandbox, set up as `transformers` sets it up, so that a model's template runs unchanged.

A template comes with a model, so it is not trusted: the sandbox keeps it from Python's internals and from changing
its arguments. ``{% generation %}`` blocks, which mark an assistant's words, are rendered as what they hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, cast

from stretto.spec.errors import UserError

if TYPE_CHECKING:
    from jinja2 import Template


def render_template(template: str, values: Mapping[str, Any]) -> str:
    """The text that `template` makes of `values`.

    Raises:
        UserError: the template is no valid Jinja, refuses the values, or fails on them.
    """
    from jinja2 import TemplateError

    try:
        return _compiled(template).render(values)
    except TemplateError as error:
        raise UserError(f"the chat template refuses this conversation: {error}.") from None
    except Exception as error:  # a template is a program of others and may fail in any way
        raise UserError(f"the chat template fails on this conversation: {type(error).__name__}: {error}.") from None


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012  jinja2's own form

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    filters = cast("dict[str, object]", environment.filters)
    names = cast("dict[str, object]", environment.globals)
    filters["tojson"] = _to_json
    names.update(raise_exception=_refuse, strftime_now=_now)
    return environment.from_string(template)


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)
