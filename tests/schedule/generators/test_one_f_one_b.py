"""1F1B: its makespan and memory at any size, the published bubbles, and its order in full for one size."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.spec.program_text import write_record
from tests.schedule.generators.published import ZERO_BUBBLE, published_costs
from tests.schedule.generators.sound import MICROBATCHES, RANKS, assert_sound, bubble, stored, times


@settings(max_examples=30)
@given(RANKS, MICROBATCHES, times())
def test_any_size(p, m, costs):
    program = one_f_one_b(p, m)
    assert_sound(program)
    assert bubble(program, costs) == pytest.approx((p - 1) * (costs.forward + costs.input_grad + costs.weight_grad))
    assert stored(program) == [min(m, p - d) for d in range(p)]


@pytest.mark.parametrize("row", ZERO_BUBBLE)
def test_published_bubbles(row):
    costs = published_costs(row)
    idle = bubble(one_f_one_b(row.p, row.m), costs)
    busy = row.m * (row.f + row.i + row.w)
    assert idle / (idle + busy) == pytest.approx(row.one_f_one_b, abs=5.1e-5)


def test_order():
    ranks = [" ".join(map(write_record, rank)) for rank in one_f_one_b(2, 3).ranks]
    assert ranks == ["F0.0 F0.1 B0.0 F0.2 B0.1 B0.2", "F1.0 B1.0 F1.1 B1.1 F1.2 B1.2"]
