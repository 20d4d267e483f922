"""Interleaved zero bubble: its bubble and memory for any sizes and groups, and PyTorch's order where it has one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.interleaved import groups
from stretto.schedule.generators.interleaved_zb import interleaved_zb
from stretto.spec.errors import UserError
from tests.schedule.generators.peer import torch_order
from tests.schedule.generators.sound import EQUAL, MICROBATCHES, RANKS, assert_sound, bubble, stored, times

SEVERAL = st.integers(2, 4)


@settings(max_examples=60)
@given(RANKS, MICROBATCHES, SEVERAL, st.none() | st.integers(0, 6))
def test_any_size(p, m, v, more):
    group = None if more is None else p + more
    program = interleaved_zb(p, m, v, group)
    assert_sound(program, "FIW")
    most = [min(m * v, p - d + (v - 1) * groups(p, m, group)[0]) / v for d in range(p)]
    assert stored(program) == pytest.approx(most)


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, SEVERAL, st.integers(0, 6), times(shortest_last=True))
def test_bubble(p, m, v, more, costs):
    wanted = (p - 1) * (costs.forward + costs.input_grad - costs.weight_grad) / v
    assert bubble(interleaved_zb(p, m + p - 1, v, p + more), costs) == pytest.approx(wanted)


def test_known_figures():
    program = interleaved_zb(4, 8, 2)
    assert stored(program) == [4.0, 3.5, 3.0, 2.5]
    assert bubble(program, EQUAL) == pytest.approx(1.5)
    program = interleaved_zb(8, 24, 2)
    assert stored(program) == [8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0, 4.5]
    assert bubble(program, EQUAL) == pytest.approx(3.5)


def test_one_chunk_is_another_schedule():
    with pytest.raises(UserError, match=r"chunks is 1; .*\(zb-h1"):
        interleaved_zb(2, 4, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "m", "v"), [(4, 8, 2), (8, 24, 4), (4, 10, 2), (3, 15, 3), (4, 3, 2)])
def test_the_order_of_torch(p, m, v):
    assert list(interleaved_zb(p, m, v).ranks) == torch_order("InterleavedZeroBubble", p, m, v)
