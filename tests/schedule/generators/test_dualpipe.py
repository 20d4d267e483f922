"""DualPipe: the published bubble and memory at every size, one copy a microbatch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.dualpipe import dualpipe
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Pair, passes

from .complete import EQUAL, assert_complete, bubbles


@settings(max_examples=15)
@given(half=st.integers(1, 5), more=st.integers(0, 6))
def test_bubble_and_memory_are_the_published_ones(half, more):
    ranks = 2 * half
    program = dualpipe(ranks, 2 * ranks + 2 * more)
    assert_complete(program)
    assert bubbles(program) == (2 * (half - 1), 2 * (half - 1))  # (p/2 - 1)(3 + 2 - 3)
    assert peaks(program, EQUAL) == (ranks + 1,) * ranks


def test_overlap_shortens_the_bubble_as_the_formula_says():
    costs = PassCosts(forward=2, input_grad=2, weight_grad=2, pair=0.75)
    timed = timing(dualpipe(8, 32), costs)
    most_idle = timed.makespan - min(timed.busy)  # the middle ranks, which have the most pairs
    assert most_idle == pytest.approx(3 * (0.75 * 6 + 4 - 3 * 2))


def test_halves_of_the_microbatches_enter_from_both_ends():
    program = dualpipe(4, 12)
    assert program.placement == ((0, 1, 2, 3), (3, 2, 1, 0))
    assert {(part.copy, part.microbatch // 6) for _, part in passes(program)} == {(0, 0), (1, 1)}
    pairs = [record for rank in program.ranks for record in rank if isinstance(record, Pair)]
    assert pairs
    assert all(pair.forward.copy != pair.backward.copy and pair.backward.kind == "B" for pair in pairs)


@pytest.mark.parametrize(
    ("ranks", "microbatches", "sentence"),
    [
        (3, 8, "ranks is 3; expected an even number, for two directions."),
        (4, 9, "microbatches is 9; expected an even number of at least 8, two a rank."),
        (4, 6, "microbatches is 6; expected an even number of at least 8, two a rank."),
        (0, 6, "ranks is 0; expected an integer of at least 1."),
    ],
)
def test_other_sizes_are_refused(ranks, microbatches, sentence):
    with pytest.raises(UserError) as caught:
        dualpipe(ranks, microbatches)
    assert str(caught.value) == sentence
