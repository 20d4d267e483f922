"""Pipelined backpropagation: an update after every backward; every pass reads the newest weights."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.pipelined_backprop import pipelined_backprop
from tests.schedule.generators.sound import MICROBATCHES, RANKS, assert_sound, bubble, stored, times
from tests.schedule.generators.versions import updates, versions_read


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, times())
def test_any_size(p, m, costs):
    program = pipelined_backprop(p, m)
    assert_sound(program)
    assert bubble(program, costs) == pytest.approx((p - 1) * (costs.forward + costs.input_grad + costs.weight_grad))
    assert stored(program) == [min(m, 2 * (p - 1 - d) + 1) for d in range(p)]


@settings(max_examples=40)
@given(RANKS, MICROBATCHES)
def test_every_pass_reads_the_newest_weights(p, m):
    for d, rank in enumerate(pipelined_backprop(p, m).ranks):
        assert updates(rank) == list(range(1, m + 1))
        found = versions_read(rank)
        assert all(version == newest for version, newest in found.values())
        for i in range(m):
            assert found["F", i][0] == max(i - 2 * (p - 1 - d), 0)
            assert found["B", i][0] == i
