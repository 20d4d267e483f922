"""Breadth-first: its makespan and memory at any size, the backward as the forward's mirror, and PyTorch's order."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.breadth_first import breadth_first
from stretto.schedule.timing import timing
from tests.schedule.generators.peer import torch_order
from tests.schedule.generators.sound import CHUNKS, MICROBATCHES, RANKS, assert_sound, bubble, stored, times


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, CHUNKS, times(transfer=True))
def test_any_size(p, m, v, costs):
    program = breadth_first(p, m, v)
    assert_sound(program)
    hop = costs.transfer if p > 1 else 0
    sides = costs.forward / v, (costs.input_grad + costs.weight_grad) / v
    wanted = sum((v - 1) * max(m * t, p * (t + hop)) + m * t + (p - 1) * (t + hop) for t in sides)
    assert timing(program, costs).makespan == pytest.approx(wanted)
    assert stored(program) == pytest.approx([m] * p)


@settings(max_examples=20)
@given(RANKS, MICROBATCHES, CHUNKS)
def test_the_backward_mirrors_the_forward(p, m, v):
    for rank in breadth_first(p, m, v).ranks:
        half = len(rank) // 2
        assert [r[1:3] for r in rank[:half]] == [r[1:3] for r in rank[half:]][::-1]


@settings(max_examples=20)
@given(RANKS, MICROBATCHES, CHUNKS, times())
def test_the_bubble_shrinks_with_chunks(p, m, v, costs):
    m += p - 1
    wanted = (p - 1) * (costs.forward + costs.input_grad + costs.weight_grad) / v
    assert bubble(breadth_first(p, m, v), costs) == pytest.approx(wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "m", "v"), [(4, 8, 2), (8, 24, 4), (3, 5, 3), (2, 1, 2), (4, 3, 2)])
def test_the_order_of_torch(p, m, v):
    assert list(breadth_first(p, m, v).ranks) == torch_order("LoopedBFS", p, m, v)
