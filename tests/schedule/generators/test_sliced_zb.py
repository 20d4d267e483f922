"""Sliced zero bubble: its bubble and memory at any size; with one slice it is ZB-H1."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.sliced import sliced
from stretto.schedule.generators.sliced_zb import sliced_zb
from stretto.schedule.generators.zb_h1 import zb_h1
from tests.schedule.generators.sound import MICROBATCHES, RANKS, SLICES, assert_sound, bubble, stored, times


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, SLICES)
def test_any_size_is_sound_in_the_memory_of_sliced_1f1b(p, m, q):
    program = sliced_zb(p, m, q)
    assert_sound(program, "FIW")
    assert stored(program) == pytest.approx(stored(sliced(p, m, q)))
    assert max(stored(program, weight_activation=1.0)) <= (p - 1 + q) / q + 1e-9


@settings(max_examples=40)
@given(RANKS, MICROBATCHES, SLICES, times(shortest_last=True))
def test_bubble(p, m, q, costs):
    m += (p - 2 + q) // q
    wanted = (p - 1) * (costs.forward + costs.input_grad - costs.weight_grad) / q
    assert bubble(sliced_zb(p, m, q), costs) == pytest.approx(wanted)


@given(RANKS, MICROBATCHES)
def test_one_slice_is_zb_h1(p, m):
    assert sliced_zb(p, m, 1).ranks == zb_h1(p, m).ranks
