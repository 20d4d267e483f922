"""BitPipe: the published idle share and memory of a unit; further units overlap."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.bitpipe import bitpipe
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError

from .complete import EQUAL, assert_complete

CHUNK = PassCosts(forward=2, backward=4)  # half of it a chunk: 1 and 2


@settings(max_examples=10)
@given(half=st.integers(1, 4), units=st.integers(1, 4))
def test_every_size_is_complete_and_further_units_overlap(half, units):
    ranks = 2 * half
    program = bitpipe(ranks, units * ranks)
    assert_complete(program)
    assert max(peaks(program, EQUAL)) == ranks
    idle = 4 * (half - 1)
    assert timing(program, CHUNK).makespan <= units * 6 * ranks + idle + (units - 1) * idle / 2


@pytest.mark.parametrize("ranks", [2, 4, 6, 8, 16])
def test_a_unit_has_the_published_idle_share_and_memory(ranks):
    program = bitpipe(ranks, ranks)
    timed = timing(program, CHUNK)
    assert 1 - timed.busy[0] / timed.makespan == pytest.approx((ranks - 2) / (3 * ranks + ranks - 2))
    assert len(set(timed.busy)) == 1
    stored = peaks(program, EQUAL)
    assert (min(stored), max(stored)) == ((3 * ranks + 2) / 4, ranks)


@pytest.mark.parametrize(
    ("ranks", "microbatches", "sentence"),
    [
        (5, 5, "ranks is 5; expected an even number, for two directions."),
        (4, 6, "microbatches is 6; expected a multiple of 4, the ranks."),
    ],
)
def test_other_sizes_are_refused(ranks, microbatches, sentence):
    with pytest.raises(UserError) as caught:
        bitpipe(ranks, microbatches)
    assert str(caught.value) == sentence
