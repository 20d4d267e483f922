"""The ranks that write or read a checkpoint together, as far as this room needs to know them.

A `Group` carries short texts (JSON) between ranks and nothing else, so this room neither imports torch.distributed
nor pickles. `together` is how a failure on one rank becomes the same sentence on all of them instead of a hang.
Cost: one gather and one broadcast of a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from stretto.spec.errors import UserError

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
    """Do something on every rank, and go on only if no rank's user made a mistake.

    Args:
        group: every rank of it calls this.
        action: may raise a `UserError`; does not talk to the group itself.

    Raises:
        UserError: on every rank, with the sentence of the first rank that failed.
    """
    result, failure = None, ""
    try:
        result = action()
    except UserError as error:
        failure = str(error)
    failures = group.gather(failure)
    sentence = group.broadcast(next((text for text in failures or () if text), ""))
    if sentence:
        raise UserError(sentence)
    return cast("T", result)
