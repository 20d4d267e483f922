import threading

import numpy as np
import pytest

from stretto.data.loader import STEPS_AHEAD, Loader
from stretto.data.rows import Rows
from stretto.spec.batch import NO_LABEL
from stretto.spec.errors import StrettoError, UserError

from .conftest import data


@pytest.fixture(scope="module")
def rows(write):
    return Rows(data(write([5, 40, 3, 17, 60, 2, 9] * 5), tokens=16, window_rows=3))


def load(rows, step, rank=0, ranks=1, micro=2, per_step=8):
    with Loader(rows, rows_per_step=per_step, microbatch_rows=micro, rank=rank, ranks=ranks) as loader:
        return loader.step(step)


def documents(batches):
    """Every document of the batches, as tokens and labels."""
    return sorted(
        (b.tokens[a:z].tolist(), b.labels[a:z].tolist())
        for b in batches
        for a, z in zip(b.offsets[:-1], b.offsets[1:], strict=True)
    )


@pytest.mark.parametrize("step", [0, 5, 6, 100])
def test_a_step_does_not_depend_on_ranks_and_microbatches(rows, step):
    expected = documents([rows.row(i) for i in range(step * 8, step * 8 + 8)])
    for ranks, micro in ((1, 8), (1, 1), (2, 2), (4, 2), (8, 1)):
        mine = [load(rows, step, rank, ranks, micro) for rank in range(ranks)]
        assert {len(batches) for batches in mine} == {8 // ranks // micro}
        assert {len(b.tokens) for batches in mine for b in batches} == {16 * micro}
        assert documents([b for batches in mine for b in batches]) == expected
        assert documents(mine[-1]) == documents([rows.row(i) for i in range(step * 8 + ranks - 1, step * 8 + 8, ranks)])


def test_rows_without_a_document_move_to_the_end(write):
    rows = Rows(data(write([5, 6, 7]), tokens=16, window_rows=4))  # 18 tokens: a full row, and one of 2
    [batch] = load(rows, 0, per_step=2, micro=2)
    assert batch.document_tokens == 18
    assert sorted(batch.tokens[:18]) == list(range(18))
    assert (batch.labels[18:] == NO_LABEL).all()
    assert len(batch.tokens) == 32
    for a, z in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        assert batch.positions[a:z].tolist() == list(range(z - a))


def test_steps_in_turn_and_out_of_turn_agree(rows):
    alone = {s: documents(load(rows, s)) for s in (0, 1, 2, 3, 7, 30)}
    with Loader(rows, rows_per_step=8, microbatch_rows=2, rank=0, ranks=1) as loader:
        for step in (0, 1, 2, 7, 3, 2, 1, 30, 0):
            assert documents(loader.step(step)) == alone[step]


class _Watched:
    """Rows that count what is asked for, and fail at one of them."""

    tokens, rows_per_epoch = 4, 100

    def __init__(self, rows, bad=None):
        self.rows, self.bad, self.asked, self.gate = rows, bad, [], threading.Event()

    def row(self, number):
        self.asked.append(number)
        if number == self.bad:
            raise StrettoError("the disk is gone")
        return self.rows.row(number)


def test_only_so_much_is_made_ahead(rows):
    watched = _Watched(rows)
    loader = Loader(watched, rows_per_step=1, microbatch_rows=1, rank=0, ranks=1)
    loader.step(0)
    loader._thread.shutdown()
    assert watched.asked == list(range(1 + STEPS_AHEAD))


def test_an_error_surfaces_at_its_step(rows):
    with Loader(_Watched(rows, bad=2), rows_per_step=1, microbatch_rows=1, rank=0, ranks=1) as loader:
        loader.step(0)
        loader.step(1)
        with pytest.raises(StrettoError, match="the disk is gone"):
            loader.step(2)
        assert np.array_equal(loader.step(3)[0].tokens, rows.row(3).tokens)


def test_closing_ends_the_thread(rows):
    before = threading.active_count()
    with Loader(rows, rows_per_step=8, microbatch_rows=2, rank=0, ranks=1) as loader:
        loader.step(0)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((6, 2, 2), "6 rows a step do not divide into 2 ranks times microbatches of 2 rows"),
        ((200, 2, 2), r"fills \d+ row\(s\) of 16 tokens, and one step takes 200 over 2 rank"),
    ],
)
def test_what_does_not_fit_is_one_sentence(rows, sizes, sentence):
    per_step, micro, ranks = sizes
    with pytest.raises(UserError, match=sentence):
        Loader(rows, rows_per_step=per_step, microbatch_rows=micro, rank=0, ranks=ranks)


def test_two_ranks_on_one_row(write):
    with pytest.raises(UserError, match=r"fills 1 row\(s\) of 16 tokens, and one step takes 2 over 2 rank"):
        Loader(Rows(data(write([7]), tokens=16)), rows_per_step=2, microbatch_rows=1, rank=0, ranks=2)
