"""DualPipeV: DualPipe's bubble at twice the ranks, one set of weights, torch's order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.dualpipe_v import dualpipe_v
from stretto.schedule.memory import peaks
from stretto.spec.errors import UserError
from stretto.spec.program_text import write_record

from .complete import EQUAL, assert_complete, bubbles
from .torch_order import torch_orders


@settings(max_examples=15)
@given(ranks=st.integers(1, 8), more=st.integers(0, 8))
def test_bubble_and_memory_are_the_published_ones(ranks, more):
    program = dualpipe_v(ranks, 2 * ranks + more)
    assert_complete(program)
    assert bubbles(program) == (ranks - 1, ranks - 1)
    assert peaks(program, EQUAL) == (ranks + 0.5,) * ranks


@pytest.mark.slow
@pytest.mark.parametrize(("ranks", "microbatches"), [(2, 4), (3, 7), (4, 8), (8, 24)])
def test_the_order_is_torchs(ranks, microbatches):
    ours = [[write_record(record) for record in rank] for rank in dualpipe_v(ranks, microbatches).ranks]
    assert ours == torch_orders("DualPipeV", ranks, microbatches)


def test_too_few_microbatches_are_refused():
    with pytest.raises(UserError, match="microbatches is 7; expected at least 8, two a rank"):
        dualpipe_v(4, 7)
