"""PipeDream: 1F1B's order, an update after every backward, and the backward reads what its forward read."""

from itertools import pairwise

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.pipedream import pipedream
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute
from stretto.spec.program_text import write_record
from tests.schedule.generators.sound import MICROBATCHES, RANKS, assert_sound, bubble, stored, times
from tests.schedule.generators.versions import updates, versions_read


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, times())
def test_any_size(p, m, costs):
    program = pipedream(p, m)
    assert_sound(program)
    passes = [[r[:3] for r in rank if isinstance(r, Compute)] for rank in program.ranks]
    assert passes == [[r[:3] for r in rank] for rank in one_f_one_b(p, m).ranks]
    assert bubble(program, costs) == pytest.approx((p - 1) * (costs.forward + costs.input_grad + costs.weight_grad))
    assert stored(program) == [min(m, p - d) for d in range(p)]


@settings(max_examples=40)
@given(RANKS, MICROBATCHES)
def test_versions(p, m):
    for d, rank in enumerate(pipedream(p, m).ranks):
        assert updates(rank) == list(range(1, m + 1))
        found = versions_read(rank)
        for i in range(m):
            assert found["F", i] == (max(i - (p - 1 - d), 0),) * 2
            assert found["B", i] == (found["F", i][0], i)


def test_ranks_do_not_wait_once_the_pipeline_is_full():
    costs = PassCosts(forward=1.0, input_grad=1.0, weight_grad=1.0, update=0.5)
    timed = timing(pipedream(4, 50), costs)
    for first, last in pairwise(timed.graph.first):
        assert all(timed.start[n + 1] == pytest.approx(timed.end[n]) for n in range(first + 20, last - 20))


def test_order():
    ranks = [" ".join(map(write_record, rank)) for rank in pipedream(2, 3).ranks]
    assert ranks == [
        "F0.0 F0.1 B0.0 update0^1 F0.2^1 B0.1 update0^2 B0.2^1 update0^3",
        "F1.0 B1.0 update1^1 F1.1^1 B1.1^1 update1^2 F1.2^2 B1.2^2 update1^3",
    ]
