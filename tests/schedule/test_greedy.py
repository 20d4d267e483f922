"""The greedy scheduler: whatever the rules, it finishes, obeys the cap and says the times that the program has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.graph import build
from stretto.schedule.greedy import Rules, problem, program_of, simulate
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError

SHARE = st.floats(0, 1)
AHEAD = st.sampled_from([(), ((0.9, 0.5), (0.3, 0.6)), ((1.0, 0.1), (2.0, 2.0))])


@st.composite
def cases(draw):
    """A small problem with rules for it."""
    ranks, chunks = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    stages = ranks * chunks
    placement = draw(st.permutations(list(range(ranks)) * chunks))
    lists = st.tuples(*[st.integers(0, 5)] * stages)
    costs = PassCosts(
        forward=draw(lists),
        input_grad=draw(lists),
        weight_grad=draw(lists),
        transfer=draw(st.integers(0, 3)),
        activation=draw(lists),
        weight_activation=draw(SHARE),
    )
    periodic = draw(st.booleans())
    numbers = st.tuples(*[st.floats(-3, 3)] * (2 * chunks))
    rules = Rules(
        order=tuple(draw(st.permutations(range(2 * chunks)))),
        offsets=draw(numbers) if periodic else (),
        slopes=draw(numbers) if periodic else (),
        ahead=draw(AHEAD),
        later_ahead=draw(AHEAD),
        later_from=draw(SHARE),
        wait=draw(SHARE),
        wait_first=draw(st.integers(0, 5)),
        wait_forward=draw(st.booleans()),
        gap=draw(SHARE),
        last_gap=draw(SHARE),
        balance=draw(st.booleans()),
        flush=draw(st.integers(0, 2)),
    )
    one = [sum(costs.activation[s] for s in range(stages) if placement[s] == r) for r in range(ranks)]
    cap = max(one) * draw(st.floats(1, 3))
    return costs, placement, draw(st.integers(1, 6)), cap, rules


@settings(max_examples=100, deadline=None)
@given(cases(), st.floats(0, 10))
def test_any_rules_finish_within_the_cap(case, idle):
    costs, placement, microbatches, cap, rules = case
    given = problem(costs, placement, microbatches, cap)
    found = simulate(given, rules, idle)
    program = program_of(given, found.orders)
    assert sum(map(len, program.ranks)) == 3 * len(placement) * microbatches == len(set(sum(program.ranks, ())))
    assert build(program).acyclic
    assert max(peaks(program, costs)) <= cap + 1e-6
    times = timing(program, costs)
    assert times.makespan <= found.makespan + 1e-6
    if rules.wait == 0:
        assert max(times.spans) <= found.span + 1e-6


def test_one_rank_never_waits():
    given = problem(PassCosts(), [0, 0], 3)
    found = simulate(given, Rules(order=(3, 2, 1, 0)))
    assert found.span == found.makespan == 9


def test_a_cap_that_cannot_hold_one_microbatch_is_refused():
    with pytest.raises(UserError, match="smallest that works"):
        problem(PassCosts(), [0, 1, 1, 0], 3, 0.9)
    with pytest.raises(UserError, match="2 of them"):
        problem(PassCosts(), [0, 1, 1, 0], 3, [1, 2, 3])


def test_a_gap_is_filled_with_a_weight_gradient():
    """A rank whose next input comes later than a W takes does the W; with a share above what fits it waits."""
    costs = PassCosts(forward=1, input_grad=1, weight_grad=1, transfer=1)
    given = problem(costs, [0, 1], 3, 2)
    eager = simulate(given, Rules(order=(1, 0), gap=0))
    patient = simulate(given, Rules(order=(1, 0), gap=9, last_gap=9))
    weights = [
        [order.index(code) for order in found.orders for code in order if code >= 4] for found in (eager, patient)
    ]
    assert max(weights[0]) < max(weights[1])
    assert patient.orders[1][-3:] == [5, 5, 5]
