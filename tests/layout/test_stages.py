"""Stages are contiguous, complete, and as even as whole layers allow."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.layout.stages import stage_layers
from stretto.spec.errors import UserError
from stretto.spec.run.model import LlamaModel


def _shape(layers, vocabulary=64):
    return LlamaModel(width=16, layers=layers, heads=2, kv_heads=1, head_width=8, feed_forward=32).shape(vocabulary, 8)


@given(layers=st.integers(1, 12), stages=st.integers(1, 12), vocabulary=st.integers(1, 4000))
def test_every_layer_once_and_none_empty(layers, stages, vocabulary):
    if stages > layers:
        with pytest.raises(UserError, match="at most the model's number of layers"):
            stage_layers(_shape(layers, vocabulary), stages)
        return
    cuts = stage_layers(_shape(layers, vocabulary), stages)
    assert [i for cut in cuts for i in cut] == list(range(layers))
    assert all(len(cut) for cut in cuts)


def test_the_head_weighs():
    heavy = stage_layers(_shape(8, vocabulary=2000), 2)
    light = stage_layers(_shape(8, vocabulary=1), 2)
    assert [len(cut) for cut in light] == [4, 4]
    assert len(heavy[0]) > len(heavy[1])


def test_two_stages_are_the_most_even_cut():
    shape = _shape(7, vocabulary=300)
    layer = 16 * (16 + 8 + 8 + 16) + 3 * 16 * 32 + 2 * 16
    weights = [layer] * 6 + [layer + 300 * 16]
    best = min(range(1, 7), key=lambda cut: abs(sum(weights[:cut]) - sum(weights[cut:])))
    assert stage_layers(shape, 2)[0].stop == best
    assert all(a.stop == b.start for a, b in pairwise(stage_layers(shape, 3)))
