"""ZB-V: no bubble inside a rank's span, the memory of 1F1B, torch's order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.zb_v import zb_v
from stretto.schedule.memory import peaks
from stretto.spec.errors import UserError
from stretto.spec.program_text import write_record

from .complete import EQUAL, assert_complete, bubbles
from .torch_order import torch_orders


@settings(max_examples=25)
@given(ranks=st.integers(1, 8), microbatches=st.integers(1, 20))
def test_every_size_is_complete(ranks, microbatches):
    program = zb_v(ranks, microbatches)
    assert_complete(program)
    assert max(peaks(program, EQUAL)) <= min(ranks, microbatches)


@settings(max_examples=15)
@given(ranks=st.integers(1, 9), more=st.integers(0, 12))
def test_equal_times_leave_only_the_start(ranks, more):
    program = zb_v(ranks, 2 * ranks + more)
    assert bubbles(program) == ((ranks - 1) / 2, 0)
    assert peaks(program, EQUAL) == (ranks,) * ranks


@pytest.mark.slow
@pytest.mark.parametrize(("ranks", "microbatches"), [(2, 1), (2, 6), (4, 3), (4, 8), (8, 24)])
def test_the_order_is_torchs(ranks, microbatches):
    ours = [[write_record(record) for record in rank] for rank in zb_v(ranks, microbatches).ranks]
    assert ours == torch_orders("ZBVZeroBubble", ranks, microbatches)


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0)])
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(UserError, match="is 0; expected an integer of at least 1"):
        zb_v(*sizes)
