"""Where stages lie: in a loop over the ranks, in a V of two chunks a rank, mirrored for two directions."""

from __future__ import annotations


def looped(ranks: int, chunks: int = 1) -> tuple[tuple[int, ...], ...]:
    """The placement that deals stages out to ranks in turn: chunk c of rank d is stage ``c * ranks + d``."""
    return (tuple(range(ranks)) * chunks,)


def v_map(ranks: int) -> tuple[tuple[int, ...], ...]:
    """The placement of a V: stages go down the ranks and come back, so that the first and the last share rank 0."""
    return ((*range(ranks), *reversed(range(ranks))),)


def mirrored(row: tuple[int, ...], ranks: int) -> tuple[tuple[int, ...], ...]:
    """The placement of two copies: the first as given, the second the other way round."""
    return row, tuple(ranks - 1 - rank for rank in row)
