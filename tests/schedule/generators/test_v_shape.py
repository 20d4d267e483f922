"""The V-shaped family: what any building block gives, V-ZB, and what real times change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.v_half import v_half
from stretto.schedule.generators.v_min import v_min
from stretto.schedule.generators.v_shape import INTERVAL, v_shape, v_zb
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError

from .complete import EQUAL, assert_complete, bubbles

FAMILY = {"v-min": (v_min, lambda p: (p + 4) // 3), "v-half": (v_half, lambda p: (p + 2) // 2), "v-zb": (v_zb, int)}
TIMES = st.floats(0.25, 4)


@settings(max_examples=25)
@given(data=st.data(), ranks=st.integers(1, 9), microbatches=st.integers(1, 16), name=st.sampled_from(sorted(FAMILY)))
def test_any_size_and_any_times_give_a_program_within_its_memory(data, ranks, microbatches, name):
    make, peak = FAMILY[name]
    stages = st.tuples(*[TIMES] * (2 * ranks))
    costs = PassCosts(
        forward=data.draw(stages),
        input_grad=data.draw(stages),
        weight_grad=data.draw(stages),
        transfer=data.draw(st.sampled_from([0, 0.5])),
    )
    program = make(ranks, microbatches, costs)
    assert_complete(program)
    assert program.kind == name
    assert max(peaks(program, EQUAL)) <= min(peak(ranks), microbatches)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 6, 8, 16])
def test_v_zb_has_no_bubble_within_a_span(ranks):
    program = v_zb(ranks, 3 * ranks)
    assert_complete(program)
    assert bubbles(program)[1] == 0
    assert peaks(program, EQUAL) == (ranks,) * ranks


def waiting(records):
    """The most weight gradients that a rank owes while it still has other passes to do."""
    owed, most = 0, 0
    for record in records:
        owed += {"F": 0, "I": 1, "W": -1}[record.kind]
        most = max(most, owed)
    return most


def test_weight_gradients_do_not_pile_up():
    program = v_half(8, 64)
    assert 0 < max(waiting(records) for records in program.ranks) <= 5


def test_the_steady_state_repeats_without_a_bubble():
    short, long = v_half(6, 40), v_half(6, 60)
    assert bubbles(short) == bubbles(long)


@pytest.mark.parametrize("make", [v_half, v_min, v_zb])
@pytest.mark.parametrize("times", [(10, 10, 7, 0), (10, 20, 10, 0), (10, 12, 7, 0.5)])
def test_real_times_never_make_it_longer(make, times):
    costs = PassCosts(forward=times[0], input_grad=times[1], weight_grad=times[2], transfer=times[3])
    fitted, blind = (timing(make(8, 24, given), costs) for given in (costs, None))
    assert max(fitted.spans) <= max(blind.spans)


def test_real_times_change_the_order_for_the_better():
    costs = PassCosts(forward=10, input_grad=20, weight_grad=10)
    fitted, blind = (timing(v_half(8, 24, given), costs) for given in (costs, None))
    assert max(fitted.spans) < max(blind.spans)


def test_unequal_times_leave_v_min_no_larger_a_bubble_than_the_authors_order():
    costs = PassCosts(forward=10, input_grad=10, weight_grad=7)
    assert bubbles(v_min(8, 24, costs), costs)[1] <= 0.24 * 24 * 27 / (1 - 0.24)


def test_any_block_can_be_given():
    """Each pass follows at once upon the one before it, in a cell that is taken: only its order counts."""

    def block(ranks, rank):
        return rank, 2 * ranks - 1 - rank, 2 * ranks + rank, 4 * ranks - 1 - rank

    program = v_shape(4, 9, block, 3)
    assert_complete(program)
    assert max(peaks(program, EQUAL)) <= 3
    assert INTERVAL == 6


def test_sizes_and_costs_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="ranks is 0; expected an integer of at least 1"):
        v_half(0, 4)
    with pytest.raises(UserError, match=r"costs\.forward is \[1.0, 2.0\]; expected one number, or 8 of them"):
        v_min(4, 4, PassCosts(forward=(1.0, 2.0)))
