"""Boxes: tiling decided by volumes and overlaps equals tiling decided by counting elements."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from writers import random_boxes

from stretto.checkpoint import boxes

SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)


def counted(shape, pieces):
    seen = np.zeros(shape, dtype=int)
    for box in pieces:
        seen[tuple(slice(*interval) for interval in box)] += 1
    return seen


@given(SHAPES, st.integers(1, 6), st.integers(0, 2**32))
def test_any_straight_cut_tiles(shape, pieces, seed):
    cut = random_boxes(shape, pieces, random.Random(seed))
    assert (counted(shape, cut) == 1).all()
    assert boxes.tiling_fault(shape, cut) is None


@given(SHAPES, st.integers(0, 2**32))
def test_faults_are_those_that_counting_finds(shape, seed):
    source = random.Random(seed)
    pieces = []
    for _ in range(source.randint(0, 4)):
        pieces.append(tuple(tuple(sorted((source.randint(0, n), source.randint(0, n)))) for n in shape))
    exact = bool((counted(shape, pieces) == 1).all())
    assert (boxes.tiling_fault(shape, pieces) is None) == exact


@pytest.mark.parametrize(
    ("shape", "pieces", "fault"),
    [
        ((4,), [((0, 2),), ((3, 4),)], "its pieces leave 1 of 4 elements uncovered"),
        ((4, 2), [((0, 3), (0, 2)), ((2, 4), (0, 2))], "pieces [0:3, 0:2] and [2:4, 0:2] overlap"),
        ((4,), [((0, 5),)], "piece [0:5] is outside its shape (4,)"),
        ((4,), [((0, 4), (0, 1))], "piece [0:4, 0:1] is outside its shape (4,)"),
        ((), [(), ()], "pieces [] and [] overlap"),
        ((), [], "its pieces leave 1 of 1 elements uncovered"),
    ],
)
def test_faults_name_the_pieces(shape, pieces, fault):
    assert boxes.tiling_fault(shape, pieces) == fault
