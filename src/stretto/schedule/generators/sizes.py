"""The sizes that generators are given, checked."""

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


def check_even(ranks: int) -> None:
    """Refuse ranks that two directions cannot share evenly.

    Raises:
        UserError: the number of ranks is odd.
    """
    if ranks % 2:
        raise bad_value("ranks", ranks, "an even number, for two directions")
