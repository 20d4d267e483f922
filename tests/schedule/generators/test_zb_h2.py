"""ZB-H2: sound at any size; its bubble and memory from twice as many microbatches as ranks; the published bubbles."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.zb_h2 import zb_h2
from tests.schedule.generators.published import ZERO_BUBBLE, published_costs
from tests.schedule.generators.sound import EQUAL, MICROBATCHES, RANKS, assert_sound, span_bubble, stored, times


@settings(max_examples=30)
@given(RANKS, MICROBATCHES)
def test_any_size_is_sound(p, m):
    program = zb_h2(p, m)
    assert_sound(program, "FIW")
    assert stored(program) == [min(m, 2 * (p - d) - 1) for d in range(p)]
    if m >= 2 * p - 1:
        wanted = [2 * (p - d) - 1 + 2 * d * 0.25 for d in range(p)]
        assert stored(program, weight_activation=0.25) == pytest.approx(wanted)


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, times(shortest_last=True, transfer=True))
def test_span_bubble(p, m, costs):
    wanted = (p - 1) * (costs.forward + costs.input_grad + 2 * costs.transfer - 2 * costs.weight_grad)
    assert span_bubble(zb_h2(p, m + 2 * p - 1), costs) == pytest.approx(wanted)


def test_equal_passes_leave_no_bubble():
    assert span_bubble(zb_h2(8, 16), EQUAL) == pytest.approx(0)


@pytest.mark.parametrize("row", ZERO_BUBBLE)
def test_published_bubbles(row):
    idle = span_bubble(zb_h2(row.p, row.m), published_costs(row))
    assert idle / (idle + row.m * (row.f + row.i + row.w)) == pytest.approx(row.h2, abs=5.1e-5)
