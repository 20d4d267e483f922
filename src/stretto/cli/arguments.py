"""The flags of a run file: one for every field, made from the fields themselves.

``--train.steps 20`` lays a value over the file's. Flags carry text; checking it is the business of `read_run` alone,
so that a file and a flag meet the same rules and the same sentences. The help takes descriptions, defaults and
bounds from the fields. Making the parser takes a few milliseconds; the fields' classes, with pydantic, about 0.1 s.
"""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stretto.spec.run.config import RunConfig, read_run
from stretto.spec.value import Value

_METAVARS = {int: "N", float: "X", bool: "true|false", Path: "PATH", str: "TEXT"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}


@dataclass(frozen=True, slots=True)
class Flag:
    """A field of a run file as a flag.

    Attributes:
        name: the dotted field, such as ``optimizer.adamw.lr``.
        metavar: what its value looks like.
        help: what it means in each kind that has it, with default and bounds.
    """

    name: str
    metavar: str
    help: str


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the run file and a flag for every field of `RunConfig`, grouped by table."""
    parser.usage = f"{parser.prog} RUN.toml [options] [--table.field value ...]"
    parser.add_argument("run_file", metavar="RUN.toml", type=Path, help="the run file")
    add_flags(parser, flags(RunConfig))


def add_flags(parser: argparse.ArgumentParser, wanted: Iterable[Flag]) -> None:
    """Give `parser` these flags, grouped by table; what is given ends in ``arguments.overrides``, by field."""
    parser.set_defaults(overrides={})
    groups: dict[str, Any] = {}
    for flag in wanted:
        table = flag.name.split(".")[0] if "." in flag.name else ""
        if table not in groups:
            groups[table] = parser.add_argument_group(f"[{table}]" if table else "the run")
        groups[table].add_argument(
            f"--{flag.name}",
            metavar=flag.metavar,
            help=flag.help.replace("%", "%%"),
            action=_Override,
            default=argparse.SUPPRESS,
        )


def run_config(arguments: argparse.Namespace) -> RunConfig:
    """The run file with the command line's flags laid over it.

    Raises:
        UserError: the file cannot be read, or a field is wrong.
    """
    return read_run(arguments.run_file, kinds_first(arguments.overrides))


def kinds_first(overrides: Mapping[str, str]) -> dict[str, str]:
    """The flags with every kind before its fields, however they were given: a new kind starts from its defaults."""
    return {name: overrides[name] for name in sorted(overrides, key=lambda name: not name.endswith(".kind"))}


def flags(kind: type[Value], prefix: str = "") -> list[Flag]:
    """A flag for every field that a file can set, those of inner tables and of every kind of a union included."""
    found: dict[str, list[_Field]] = {}
    for field in _walk(kind, prefix):
        found.setdefault(field.name, []).append(field)
    return [_flag(name, same) for name, same in found.items()]


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of one kind of a table; `of` names the kind where the table is a union."""

    name: str
    metavar: str
    help: str
    of: str


def _flag(name: str, fields: list[_Field]) -> Flag:
    """One flag for the fields of this name in all kinds of a table; kinds that agree are named together."""
    if name.endswith("kind"):
        return Flag(name, "|".join(field.metavar for field in fields), fields[0].help)
    kinds: dict[str, list[str]] = {}
    for field in fields:
        kinds.setdefault(field.help, []).append(field.of)
    said = [f"{', '.join(of)}: {text}" if any(of) else text for text, of in kinds.items()]
    return Flag(name, fields[0].metavar, ";  ".join(said))


class _Override(argparse.Action):
    """Keep a flag's text under its field's name."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        # A new dictionary: the default one belongs to the parser and would be shared between parses.
        name = self.option_strings[0].removeprefix("--")
        namespace.overrides = {**namespace.overrides, name: values}


def _walk(kind: type[Value], prefix: str, of: str = "", default_kind: str = "") -> Iterator[_Field]:
    for name, field in kind.model_fields.items():
        tables = _tables(field.annotation)
        if name == "format":
            continue
        if name == "kind":
            words = f"which kind (default {default_kind}); another kind starts from its own defaults"
            yield _Field(prefix + name, str(field.default), words, of)
        elif not tables:
            yield _Field(prefix + name, _metavar(field.annotation), _help(field), of)
        default = getattr(field.default, "kind", "")
        for table in tables:
            inner = str(table.model_fields["kind"].default) if len(tables) > 1 else of
            yield from _walk(table, f"{prefix}{name}.", inner, default)


def _tables(annotation: Any) -> list[type[Value]]:
    """The tables that a field may be: none for a plain value, several for a union."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, Value) else []
    if get_origin(annotation) in (types.UnionType, typing.Union):
        return [table for inner in get_args(annotation) for table in _tables(inner)]
    return []


def _metavar(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "|".join(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (types.UnionType, typing.Union):
        return "|".join(_metavar(inner) for inner in get_args(annotation))
    if annotation is type(None):
        return "none"
    return _METAVARS.get(annotation, "[...]")


def _help(field: FieldInfo) -> str:
    said = (field.description or "").replace("\n", " ").rstrip(".")
    facts = [_default(field), *_bounds(field)]
    return f"{said} ({'; '.join(facts)})".strip()


def _default(field: FieldInfo) -> str:
    if field.is_required() or field.default is PydanticUndefined:
        return "must be given, here or in the file"
    if field.default is None:
        return "default none"
    if isinstance(field.default, bool):
        return f"default {str(field.default).lower()}"
    if isinstance(field.default, tuple):
        return f"default [{', '.join(map(str, field.default))}]"
    return f"default {field.default}"


def _bounds(field: FieldInfo) -> Iterator[str]:
    for bound in field.metadata:
        for name, words in _BOUNDS.items():
            if hasattr(bound, name):
                yield f"{words} {getattr(bound, name)}"
