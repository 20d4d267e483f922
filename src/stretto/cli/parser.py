"""Flags and arguments, with one-sentence errors.

`Parser` is argparse's, but for what it says about a mistake: a wrong command line raises `UserError` with the flag,
the value, what was expected and the nearest flag, and nothing is guessed from an abbreviation. Every parser, those of
sub-commands included, knows ``--json``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from stretto.spec.errors import UserError, bad_value, nearest, unknown_name

_TYPES = {"int": "an integer", "float": "a number", "Path": "a path"}
_MISSING = "the following arguments are required: "


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help with room for long flags."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **({"max_help_position": 34} | options))


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UserError` instead of leaving the process."""

    def __init__(self, **options: Any) -> None:
        layout = {"allow_abbrev": False, "formatter_class": _Help}
        super().__init__(**(layout | options))
        self.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for machines instead of text"
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As argparse's, but nothing may stay unknown: this parser knows its flags best."""
        known, extra = super().parse_known_args(args, namespace)
        if extra:
            raise self._unexpected(extra)
        return known, extra

    def error(self, message: str) -> NoReturn:
        """Turn what argparse says into a sentence.

        Raises:
            UserError: always.
        """
        raise _sentence(message, self.prog)

    def _unexpected(self, extra: Sequence[str]) -> UserError:
        word = next((e for e in extra if e.startswith("-") and e != "--"), extra[0])
        if not word.startswith("-"):
            return UserError(f"{word!r} is not expected by {self.prog}; see {self.prog} --help.")
        flag = word.split("=")[0]
        close = nearest(flag, self._option_string_actions)
        hint = f"did you mean {close}?" if close else f"see {self.prog} --help"
        return UserError(f"{flag} is not a flag of {self.prog} ({hint}).")


def _sentence(message: str, command: str) -> UserError:
    if message.startswith(_MISSING):
        return UserError(f"{command} needs {message.removeprefix(_MISSING)}; see {command} --help.")
    found = re.fullmatch(r"argument (?P<name>.+?): (?P<what>.+)", message, re.DOTALL)
    name, what = (found["name"], found["what"]) if found else (command, message)
    if typed := re.fullmatch(r"invalid (?P<type>\S+) value: '(?P<value>.*)'", what, re.DOTALL):
        return bad_value(name, typed["value"], _TYPES.get(typed["type"], typed["type"]))
    if choice := re.fullmatch(r"invalid choice: '(?P<value>.*)' \(choose from (?P<known>.*)\)", what, re.DOTALL):
        known = [word.strip("' ") for word in choice["known"].split(",")]
        return unknown_name(f"{command}: {name}", choice["value"], known)
    if what.startswith("expected "):
        return UserError(f"{name} needs a value ({what}); see {command} --help.")
    return UserError(f"{name}: {what}; see {command} --help.")
