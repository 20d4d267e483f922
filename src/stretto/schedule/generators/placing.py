"""Where stages lie: the V of two chunks a rank, and the mirrored weight sets of bidirectional schedules."""

from __future__ import annotations

from stretto.spec.errors import bad_value


def v_map(ranks: int) -> tuple[tuple[int, ...], ...]:
    """The placement of a V: stages go down the ranks and come back, so that the first and the last share rank 0."""
    return ((*range(ranks), *reversed(range(ranks))),)


def mirrored(row: tuple[int, ...], ranks: int) -> tuple[tuple[int, ...], ...]:
    """The placement of two copies: the first as given, the second the other way round."""
    return row, tuple(ranks - 1 - rank for rank in row)


def check_even(ranks: int) -> None:
    """Refuse ranks that two directions cannot share evenly.

    Raises:
        UserError: the number of ranks is odd.
    """
    if ranks % 2:
        raise bad_value("ranks", ranks, "an even number, for two directions")
