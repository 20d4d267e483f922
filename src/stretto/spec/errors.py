"""What went wrong, in one sentence: the field, its value, what was expected and the nearest valid choice.

A `UserError` is somebody's mistake that they can mend (exit code 2); a `StrettoError` that is not one is a
failure of the run or the machine (exit code 1). Neither is ever shown with a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StrettoError(Exception):
    """A failure with a sentence for people; `exit_code` is what a command ends with."""

    exit_code = 1


class UserError(StrettoError):
    """A mistake in a configuration, file, checkpoint or request."""

    exit_code = 2


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice closest in spelling to `word`, or None where none is close."""
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return found[0] if found else None


def bad_value(field: str, value: object, expected: str, hint: str | None = None) -> UserError:
    """The sentence for one wrong value: ``train.steps is -3; expected an integer of at least 1``."""
    tail = f" ({hint})" if hint else ""
    return UserError(f"{field} is {value!r}; expected {expected}{tail}.")


def unknown_name(field: str, word: str, choices: Iterable[str]) -> UserError:
    """The sentence for a name that is none of `choices`, with the nearest one."""
    known = sorted(choices)
    close = nearest(word, known)
    hint = f"did you mean {close!r}?" if close else None
    return bad_value(field, word, "one of " + ", ".join(known), hint)
