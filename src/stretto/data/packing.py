"""Packing: pieces of documents into rows that are all full.

Best fit decreasing (Johnson 1974; for training, Ding et al. 2024, "Fewer Truncations Improve Language Modeling"): the
longest piece first, each into the row where it leaves the least room. Rows have as much room as there are tokens, so
what fits nowhere is exactly what is needed to fill the gaps, and is cut for it. O(n log n) for n pieces.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """Tokens ``start`` to ``stop`` of a document."""

    document: int
    start: int
    stop: int


def cut(document: int, start: int, stop: int, tokens: int) -> list[Piece]:
    """Tokens `start` to `stop` of a document in pieces of `tokens`, the last one with the rest."""
    return [Piece(document, at, min(at + tokens, stop)) for at in range(start, stop, tokens)]


def pack(pieces: Sequence[Piece], rooms: Sequence[int]) -> list[list[Piece]]:
    """The pieces of every row; row i is filled with exactly ``rooms[i]`` tokens.

    Args:
        pieces: none longer than the largest room.
        rooms: tokens of every row; their sum is the pieces'.

    Raises:
        ValueError: the sums differ.
    """
    if sum(rooms) != sum(p.stop - p.start for p in pieces):
        raise ValueError("rooms and pieces differ in tokens")
    rows: list[list[Piece]] = [[] for _ in rooms]
    free = sorted((room, row) for row, room in enumerate(rooms))
    left: list[Piece] = []
    for piece in sorted(pieces, key=lambda p: p.start - p.stop):
        length = piece.stop - piece.start
        best = bisect.bisect_left(free, (length, -1))
        if best == len(free):
            left.append(piece)
            continue
        room, row = free.pop(best)
        rows[row].append(piece)
        bisect.insort(free, (room - length, row))
    _fill(rows, [(room, row) for room, row in reversed(free) if room], left)
    return rows


def _fill(rows: list[list[Piece]], gaps: list[tuple[int, int]], left: list[Piece]) -> None:
    """Cut what is left, longest first, to fill the gaps, widest first."""
    places = iter(gaps)
    room, row = 0, 0
    for document, first, stop in left:
        start = first
        while start < stop:
            if not room:
                room, row = next(places)
            end = min(stop, start + room)
            rows[row].append(Piece(document, start, end))
            room -= end - start
            start = end
