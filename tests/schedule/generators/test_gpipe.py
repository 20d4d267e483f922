"""GPipe: its makespan and memory at any size, and every pass once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.gpipe import gpipe
from stretto.spec.errors import UserError
from tests.schedule.generators.sound import MICROBATCHES, RANKS, assert_sound, bubble, stored, times


@settings(max_examples=30)
@given(RANKS, MICROBATCHES, times(transfer=True))
def test_any_size(p, m, costs):
    program = gpipe(p, m)
    assert_sound(program)
    backward = costs.input_grad + costs.weight_grad
    assert bubble(program, costs) == pytest.approx((p - 1) * (costs.forward + backward + 2 * costs.transfer))
    assert stored(program) == [m] * p


@given(st.sampled_from([(0, 1), (1, 0), (-2, 3)]))
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(UserError, match="expected an integer of at least 1"):
        gpipe(*sizes)
