"""Chimera: the published idle shares and memory, at any even number of microbatches."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.chimera import chimera
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError

from .complete import EQUAL, assert_complete

ONE_EACH = PassCosts(forward=1, backward=1)


def idle_share(program, costs):
    timed = timing(program, costs)
    return 1 - sum(timed.busy) / (len(timed.busy) * timed.makespan)


@settings(max_examples=25)
@given(half=st.integers(1, 5), pairs=st.integers(1, 12))
def test_every_size_is_complete(half, pairs):
    program = chimera(2 * half, 2 * pairs)
    assert_complete(program)
    assert max(peaks(program, EQUAL)) <= 2 * half


@pytest.mark.parametrize("ranks", [2, 4, 6, 8, 16])
@pytest.mark.parametrize("units", [1, 2, 5])
def test_full_units_have_the_published_idle_share_and_memory(ranks, units):
    program = chimera(ranks, units * ranks)
    share = (ranks - 2) / (2 * units * ranks + ranks - 2)
    assert idle_share(program, ONE_EACH) == pytest.approx(share)
    stored = peaks(program, EQUAL)
    assert (min(stored), max(stored)) == (ranks // 2 + 1, ranks)


@pytest.mark.parametrize("ranks", [4, 8, 16])
def test_a_backward_of_two_forwards(ranks):
    costs = PassCosts(forward=1, backward=2)
    assert idle_share(chimera(ranks, ranks), costs) == pytest.approx((ranks - 2) / (1.5 * ranks + ranks - 2))


@settings(max_examples=10)
@given(half=st.integers(1, 6), data=st.data())
def test_a_small_unit_takes_no_longer_than_its_microbatches_must(half, data):
    ranks, count = 2 * half, 2 * data.draw(st.integers(1, half))
    assert timing(chimera(ranks, count), ONE_EACH).makespan == 2 * ranks + count - 2


@pytest.mark.parametrize(
    ("ranks", "microbatches", "sentence"),
    [
        (3, 4, "ranks is 3; expected an even number, for two directions."),
        (4, 5, "microbatches is 5; expected an even number, for two directions."),
        (4, 0, "microbatches is 0; expected an integer of at least 1."),
    ],
)
def test_other_sizes_are_refused(ranks, microbatches, sentence):
    with pytest.raises(UserError) as caught:
        chimera(ranks, microbatches)
    assert str(caught.value) == sentence
