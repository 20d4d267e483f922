import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.data.packing import Piece, cut, pack


def test_cut():
    assert cut(7, 3, 13, 4) == [Piece(7, 3, 7), Piece(7, 7, 11), Piece(7, 11, 13)]
    assert cut(7, 3, 3, 4) == []


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(1, 20), max_size=30),
    room=st.integers(20, 40),
)
def test_every_row_is_full_and_every_token_kept(lengths, room):
    whole, rest = divmod(sum(lengths), room)
    rooms = [room] * whole + [rest] * (rest > 0)
    rows = pack([Piece(i, 0, n) for i, n in enumerate(lengths)], rooms)
    assert [sum(p.stop - p.start for p in row) for row in rows] == rooms
    tokens = sorted((p.document, t) for row in rows for p in row for t in range(p.start, p.stop))
    assert tokens == [(i, t) for i, n in enumerate(lengths) for t in range(n)]


def test_what_fits_is_not_cut():
    lengths = [6, 4, 7, 3, 5, 5, 9, 1]
    rows = pack([Piece(i, 0, n) for i, n in enumerate(lengths)], [10] * 4)
    assert sum(map(len, rows)) == len(lengths)


def test_what_does_not_fit_fills_the_gaps():
    rows = pack([Piece(i, 0, n) for i, n in enumerate([7, 7, 6])], [10, 10])
    assert rows == [[Piece(0, 0, 7), Piece(2, 3, 6)], [Piece(1, 0, 7), Piece(2, 0, 3)]]


def test_sums_must_agree():
    with pytest.raises(ValueError, match="differ"):
        pack([Piece(0, 0, 3)], [4])
