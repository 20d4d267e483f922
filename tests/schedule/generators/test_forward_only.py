"""Forward only: its makespan at any size; nothing is stored and nobody waits for an answer."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.forward_only import forward_only
from stretto.schedule.timing import timing
from tests.schedule.generators.sound import CHUNKS, MICROBATCHES, RANKS, assert_sound, stored, times


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, CHUNKS, times())
def test_any_size(p, m, v, costs):
    program = forward_only(p, m, v)
    assert program.forward_only
    assert_sound(program, "F")
    makespan = timing(program, costs).makespan
    assert makespan == pytest.approx(costs.forward / v * ((v - 1) * max(m, p) + m + p - 1))
    assert stored(program) == [0] * p


def test_first_results_leave_after_one_group():
    program = forward_only(4, 400, 2)
    last = program.ranks[3]
    assert [record.stage for record in last[:8]] == [3, 3, 3, 3, 7, 7, 7, 7]
