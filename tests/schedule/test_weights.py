"""Weight gradients placed anew: everything else keeps its order, and the cap holds."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.sliced import sliced
from stretto.schedule.generators.zb_v import zb_v
from stretto.schedule.greedy import problem, program_of
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.schedule.weights import Filling, core_of, fill, swapped, without_weights
from stretto.spec.costs import PassCosts

FILLINGS = st.builds(
    Filling, gap=st.floats(0, 1), last_gap=st.floats(0, 1), balance=st.booleans(), idle=st.floats(0, 9)
)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 8), FILLINGS, st.floats(0, 1), st.floats(0.5, 2), st.integers(0, 99))
def test_the_others_keep_their_order(ranks, microbatches, filling, kept, share, seed):
    costs = PassCosts(forward=1.3, input_grad=1.2, weight_grad=0.8, transfer=0.1, weight_activation=kept)
    program = zb_v(ranks, microbatches)
    cap = max(1, share * ranks)
    given_problem = problem(costs, program.placement[0], microbatches, cap)
    core = core_of(program)
    for order in (core, swapped(core, Random(seed))):
        found = fill(given_problem, order, filling)
        if found is None:
            continue
        assert without_weights(found.orders, program.stages) == order
        made = program_of(given_problem, found.orders)
        assert max(peaks(made, costs)) <= cap + 1e-6
        times = timing(made, costs)
        assert max(times.spans) <= found.span + 1e-6
        assert times.makespan <= found.makespan + 1e-6


def test_published_bubble_of_zb_v():
    """Qi et al. 2023, data of figure 9: 6.2B, 16 ranks, 64 microbatches, 16 microbatches' memory."""
    kept = 32 * 4096 / (34 * 4096 + 5 * 32 * 1024)
    costs = PassCosts(forward=28.824, input_grad=28.786, weight_grad=19.376, transfer=1.621, weight_activation=kept)
    program = zb_v(16, 64)
    found = fill(problem(costs, program.placement[0], 64, 16), core_of(program), Filling(0.0, 1.0, balance=True))
    assert 1 - 64 * (28.824 + 28.786 + 19.376) / found.span == pytest.approx(0.053343, abs=1e-6)


def test_whole_backwards_are_split_and_slices_left_alone():
    core = core_of(one_f_one_b(2, 3))
    assert fill(problem(PassCosts(), range(2), 3), core, Filling()).makespan > 0
    assert core_of(sliced(2, 3)) is None


def test_what_cannot_happen_is_none():
    """Two forwards in a row do not fit where one microbatch does."""
    assert fill(problem(PassCosts(), range(1), 2, 1), [[0, 0, 1, 1]], Filling()) is None
