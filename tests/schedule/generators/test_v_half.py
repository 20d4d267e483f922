"""V-Half: the published memory at every size, bubbles no larger than those of the authors' greedy order."""

import pytest

from stretto.schedule.generators.v_half import v_half
from stretto.schedule.memory import peaks
from stretto.spec.costs import PassCosts

from .complete import EQUAL, bubbles

CHUNK = PassCosts(forward=2, input_grad=2, weight_grad=2)  # half of it a chunk: 1


@pytest.mark.parametrize("ranks", [4, 5, 6, 7, 8, 12, 16, 24])
def test_bubble_and_memory(ranks):
    program = v_half(ranks, 3 * ranks)
    assert bubbles(program, CHUNK)[1] <= 3 * ranks - 7
    assert max(peaks(program, EQUAL)) == (ranks + 2) // 2


def test_one_rank_never_waits():
    assert bubbles(v_half(1, 5)) == (0, 0)
