"""Sliced 1F1B: its bubble and memory at any size; with one slice it is 1F1B."""

import pytest
from hypothesis import given, settings

from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.sliced import sliced
from stretto.spec.errors import UserError
from stretto.spec.program_text import write_record
from tests.schedule.generators.sound import MICROBATCHES, RANKS, SLICES, assert_sound, bubble, stored, times


@settings(max_examples=50)
@given(RANKS, MICROBATCHES, SLICES, times())
def test_any_size(p, m, q, costs):
    program = sliced(p, m, q)
    assert_sound(program)
    wanted = (p - 1) * (costs.forward + costs.input_grad + costs.weight_grad) / q
    assert bubble(program, costs) == pytest.approx(wanted)
    assert stored(program) == pytest.approx([min(m, (p - 1 + q - d) / q) for d in range(p)])


def test_known_memory():
    assert max(stored(sliced(8, 24, 4))) == pytest.approx(2.75)


@given(RANKS, MICROBATCHES)
def test_one_slice_is_1f1b(p, m):
    assert sliced(p, m, 1).ranks == one_f_one_b(p, m).ranks


def test_order():
    ranks = [" ".join(map(write_record, rank)) for rank in sliced(2, 2).ranks]
    assert ranks == [
        "F0.0 F0.0/1 F0.1 B0.0/1 F0.1/1 B0.0 B0.1/1 B0.1",
        "F1.0 F1.0/1 B1.0/1 F1.1 B1.0 F1.1/1 B1.1/1 B1.1",
    ]


def test_no_slices_are_refused():
    with pytest.raises(UserError, match="slices is 0"):
        sliced(2, 2, 0)
