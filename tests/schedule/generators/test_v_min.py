"""V-Min: the published memory at every size, bubbles no larger than those of the authors' greedy order."""

import pytest

from stretto.schedule.generators.v_min import v_min
from stretto.schedule.memory import peaks
from stretto.spec.costs import PassCosts

from .complete import EQUAL, bubbles

CHUNK = PassCosts(forward=2, input_grad=2, weight_grad=2)  # half of it a chunk: 1


@pytest.mark.parametrize(("ranks", "greedy"), [(4, 11), (6, 17), (8, 27), (16, 59)])
def test_bubble_is_no_larger_than_the_authors(ranks, greedy):
    assert bubbles(v_min(ranks, 3 * ranks), CHUNK)[1] <= greedy


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 24])
def test_memory_is_the_published_one(ranks):
    assert max(peaks(v_min(ranks, 3 * ranks), EQUAL)) == (ranks + 4) // 3
