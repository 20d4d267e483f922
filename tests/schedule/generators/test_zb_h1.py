"""ZB-H1: its bubble and memory at any size, with and without the time of messages, and the published bubbles."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.zb_h1 import zb_h1
from stretto.spec.program_text import write_record
from tests.schedule.generators.published import ZERO_BUBBLE, published_costs
from tests.schedule.generators.sound import MICROBATCHES, RANKS, assert_sound, bubble, span_bubble, stored, times


@settings(max_examples=30)
@given(RANKS, MICROBATCHES)
def test_any_size_is_sound_in_the_memory_of_1f1b(p, m):
    program = zb_h1(p, m)
    assert_sound(program, "FIW")
    assert stored(program) == [min(m, p - d) for d in range(p)]
    assert max(stored(program, weight_activation=1.0)) <= p
    if m >= p:
        assert stored(program, weight_activation=0.25) == pytest.approx([p - d + 0.25 * d for d in range(p)])


@settings(max_examples=30)
@given(RANKS, MICROBATCHES, times(shortest_last=True))
def test_bubble(p, m, costs):
    m += p - 1
    wanted = (p - 1) * (costs.forward + costs.input_grad - costs.weight_grad)
    assert bubble(zb_h1(p, m), costs) == pytest.approx(wanted)
    assert span_bubble(zb_h1(p, m), costs) == pytest.approx(wanted)


@settings(max_examples=30)
@given(RANKS, MICROBATCHES, times(shortest_last=True, transfer=True))
def test_messages_add_four_times_their_time_a_hop(p, m, costs):
    costs = costs.model_copy(update={"transfer": min(costs.transfer, costs.weight_grad / 2)})
    wanted = (p - 1) * (costs.forward + costs.input_grad - costs.weight_grad + 4 * costs.transfer)
    assert bubble(zb_h1(p, m + p), costs) == pytest.approx(wanted)


@pytest.mark.parametrize("row", ZERO_BUBBLE)
def test_published_bubbles(row):
    idle = bubble(zb_h1(row.p, row.m), published_costs(row))
    assert idle / (idle + row.m * (row.f + row.i + row.w)) == pytest.approx(row.h1, abs=5.1e-5)


def test_order():
    ranks = [" ".join(map(write_record, rank)) for rank in zb_h1(2, 3).ranks]
    assert ranks == ["F0.0 F0.1 I0.0 W0.0 F0.2 I0.1 W0.1 I0.2 W0.2", "F1.0 I1.0 F1.1 I1.1 W1.0 F1.2 I1.2 W1.1 W1.2"]
