"""The ranks that write or read a checkpoint together, as far as this room needs to know them.

A `Group` carries short texts (JSON) between ranks and nothing else, so this room neither imports torch.distributed
nor pickles. `together` is how a failure on one rank becomes the same sentence on all of them instead of a hang.
Cost: one gather and one broadcast of a few hundred bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from stretto.spec.errors import StrettoError, UserError

T = TypeVar("T")


class Group(Protocol):
    """Ranks that call the same functions in the same order."""

    @property
    def rank(self) -> int:
        """This rank, from 0."""
        ...

    @property
    def ranks(self) -> int:
        """How many there are."""
        ...

    def gather(self, text: str, /) -> list[str] | None:
        """The text of every rank, in their order, on rank 0; None on the others."""
        ...

    def broadcast(self, text: str, /) -> str:
        """Rank 0's text, on every rank; no rank returns before rank 0 has called it."""
        ...


@dataclass(frozen=True, slots=True)
class OneRank:
    """The group of a process that is alone."""

    rank: int = 0
    ranks: int = 1

    def gather(self, text: str, /) -> list[str]:
        """The text itself."""
        return [text]

    def broadcast(self, text: str, /) -> str:
        """The text itself."""
        return text


def together(group: Group, action: Callable[[], T]) -> T:
    """Do something on every rank, and go on only if no rank failed.

    Args:
        group: every rank of it calls this.
        action: may raise a `StrettoError` or an `OSError`; does not talk to the group itself.

    Raises:
        UserError: on every rank, with the sentence of the first rank that failed, where that was its user's mistake.
        StrettoError: likewise, for any other failure.
    """
    result, failure = None, ""
    try:
        result = action()
    except (StrettoError, OSError) as error:
        failure = json.dumps([isinstance(error, UserError), _sentence(error)])
    failures = group.gather(failure)
    first = group.broadcast(next((text for text in failures or () if text), ""))
    if first:
        mistake, sentence = json.loads(first)
        raise UserError(sentence) if mistake else StrettoError(sentence)
    return cast("T", result)


def _sentence(error: StrettoError | OSError) -> str:
    if isinstance(error, StrettoError):
        return str(error)
    why = (error.strerror or str(error)).lower()
    return f"{error.filename}: {why}." if error.filename else f"the system reports: {why}."
