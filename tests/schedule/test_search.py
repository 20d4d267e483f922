"""Search: never worse than a generator in the same memory, always within its cap, always a program that finishes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.graph import build
from stretto.schedule.memory import peaks
from stretto.schedule.registry import KINDS
from stretto.schedule.search import search
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError

TIMES = st.floats(0.2, 3)


@st.composite
def cases(draw):
    ranks, chunks = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    lists = st.tuples(*[TIMES] * (ranks * chunks))
    costs = PassCosts(
        forward=draw(lists),
        input_grad=draw(lists),
        weight_grad=draw(lists),
        transfer=draw(st.floats(0, 1)),
        weight_activation=draw(st.floats(0, 1)),
    )
    return (
        costs,
        ranks,
        draw(st.integers(1, 6)),
        draw(st.none() | st.floats(1, 5)),
        draw(st.sampled_from(["span", "makespan"])),
    )


@settings(max_examples=20, deadline=None)
@given(cases())
def test_at_least_as_good_as_every_generator(case):
    costs, ranks, microbatches, cap, measure = case
    found = search(costs, ranks=ranks, microbatches=microbatches, memory_cap=cap, measure=measure, seconds=0)
    times = timing(found.program, costs)
    value = max(times.spans) if measure == "span" else times.makespan
    assert build(found.program).acyclic
    assert found.value == value
    assert found.lower_bound <= value + 1e-9
    assert found.peaks == peaks(found.program, costs)
    assert cap is None or max(found.peaks) <= cap + 1e-9
    assert value <= min(candidate.value for candidate in found.tried) + 1e-6
    for name in ("gpipe", "1f1b", "zb-h1", "zb-h2", "zb-v", "breadth-first", "zb-auto"):
        options = {"costs": costs, "memory_cap": cap} if name == "zb-auto" and cap else {}
        try:
            program = KINDS[name].make(ranks, microbatches, **options)
            other = timing(program, costs)
        except UserError:
            continue
        if cap is None or max(peaks(program, costs)) <= cap:
            assert value <= (max(other.spans) if measure == "span" else other.makespan) + 1e-6


def test_equal_arguments_try_equal_rules():
    costs = PassCosts(forward=1, input_grad=1.2, weight_grad=0.7, transfer=0.1)
    found = [search(costs, ranks=4, microbatches=8, memory_cap=4, measure="span", seconds=0) for _ in range(2)]
    assert found[0].program == found[1].program
    assert found[0].tried == found[1].tried


def test_time_makes_it_better_and_progress_is_told():
    costs = PassCosts(forward=28.8, input_grad=28.7, weight_grad=19.3, transfer=1.6, weight_activation=0.43)
    told = []
    found = search(
        costs, ranks=4, microbatches=10, memory_cap=4, measure="span", seconds=0.5, progress=lambda s, v: told.append(v)
    )
    assert told == sorted(told, reverse=True)
    assert abs(told[-1] - found.value) < 1e-6
    at_once = search(costs, ranks=4, microbatches=10, memory_cap=4, measure="span", seconds=0)
    assert found.value <= at_once.value
    assert found.trials > at_once.trials
    assert found.gap < 0.2


def test_refusals():
    with pytest.raises(UserError, match="smallest that works"):
        search(PassCosts(), ranks=2, microbatches=2, memory_cap=0.5, seconds=0)
    with pytest.raises(UserError, match="chunks"):
        search(PassCosts(), ranks=2, microbatches=2, chunks=(), seconds=0)
    with pytest.raises(UserError, match="forward"):
        search(PassCosts(forward=(1, 2, 3)), ranks=2, microbatches=2, seconds=0)
