"""The sizes that generators are given, checked, and the loop of stages over ranks."""

from __future__ import annotations

from stretto.spec.errors import bad_value


def check_sizes(**sizes: int) -> None:
    """Refuse sizes below 1; the names of the arguments are what the sentence calls them.

    Raises:
        UserError: naming the first size that is too small.
    """
    for name, size in sizes.items():
        if size < 1:
            raise bad_value(name, size, "an integer of at least 1")


def looped(ranks: int, chunks: int = 1) -> tuple[tuple[int, ...], ...]:
    """The placement that deals stages out to ranks in turn: chunk c of rank d is stage ``c * ranks + d``."""
    return (tuple(range(ranks)) * chunks,)
