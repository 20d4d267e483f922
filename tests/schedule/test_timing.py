"""Timing: in order, as early as inputs arrive; times by hand for small programs, and identities for all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generate import generate
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Pair, Program


def test_two_ranks_by_hand():
    times = timing(generate("1f1b", 2, 1), PassCosts(forward=(1.0, 2.0), backward=(3.0, 4.0), transfer=0.5))
    assert times.start == [0.0, 8.0, 1.5, 3.5]
    assert times.end == [1.0, 11.0, 3.5, 7.5]
    assert times.cause == [-1, 3, 0, -1]
    assert times.makespan == 11.0
    assert times.spans == (11.0, 6.0)
    assert times.busy == (4.0, 6.0)


def test_links_can_differ():
    costs = PassCosts(transfer=((0.0, 10.0), (1.0, 0.0)))
    assert timing(generate("1f1b", 2, 1), costs).start == [0.0, 15.0, 11.0, 12.0]


def _pairs(early):
    f, b = (lambda s, i: Compute("F", s, i)), (lambda s, i: Compute("B", s, i))
    ranks = (f(0, 0), Pair(f(0, 1), b(0, 0), early)), (f(1, 0), b(1, 0), f(1, 1), b(1, 1))
    return Program(ranks=((*ranks[0], b(0, 1)), ranks[1]), stages=2, microbatches=2, placement=((0, 1),))


def test_a_pairs_forward_leaves_at_its_end_or_early():
    assert timing(_pairs(False), PassCosts()).start == [0.0, 4.0, 10.0, 1.0, 2.0, 7.0, 8.0]
    assert timing(_pairs(True), PassCosts()).start[:7] == [0.0, 4.0, 8.0, 1.0, 2.0, 5.0, 6.0]


def test_an_overlapped_pair_costs_its_share_but_no_less_than_either():
    assert timing(_pairs(False), PassCosts(pair=0.8)).end[1] == pytest.approx(4 + 0.8 * 3)
    assert timing(_pairs(False), PassCosts(pair=0.1)).end[1] == pytest.approx(4 + 2)


def test_slices_take_their_shares():
    times = timing(generate("gpipe", 1, 1, slices=2), PassCosts(slices=(0.75, 0.25)))
    assert times.end == [0.75, 1.0, 1.5, 3.0]


def test_collectives_take_their_time():
    program = generate("1f1b", 2, 2, vocabulary="one")
    quick, slow = (timing(program, PassCosts(collective=c)).makespan for c in (0.0, 1.0))
    assert slow >= quick + 3


def test_a_program_that_cannot_finish_is_refused():
    ranks = (Compute("B", 0, 0), Compute("F", 0, 0)), (Compute("F", 1, 0), Compute("B", 1, 0))
    with pytest.raises(UserError, match="never finishes"):
        timing(Program(ranks=ranks, stages=2, microbatches=1, placement=((0, 1),)), PassCosts())


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(["gpipe", "1f1b", "zb-h1", "zb-v", "interleaved-1f1b"]),
    ranks=st.integers(1, 5),
    microbatches=st.integers(1, 8),
    data=st.data(),
)
def test_nothing_starts_before_it_can(kind, ranks, microbatches, data):
    cost = st.floats(0, 10)
    program = generate(kind, ranks, microbatches)
    lists = {
        name: tuple(data.draw(st.lists(cost, min_size=program.stages, max_size=program.stages)))
        for name in ("forward", "input_grad", "weight_grad")
    }
    hop = data.draw(cost)
    times = timing(program, PassCosts(**lists, transfer=hop))
    graph = times.graph
    for rank in range(ranks):
        first, stop = graph.first[rank], graph.first[rank + 1]
        for node in range(first, stop):
            ready = [times.end[node - 1]] if node > first else [0.0]
            ready += [times.end[i] + hop for i in graph.inputs[node]]
            assert times.start[node] == max(ready)
    assert times.makespan >= max(times.busy) - 1e-9
