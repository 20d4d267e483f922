import pytest

from stretto.count.parameters import count_parameters
from stretto.spec.run.model import LlamaModel

torch = pytest.importorskip("torch")


def llama(**sizes):
    defaults = {"width": 48, "layers": 3, "heads": 6, "kv_heads": 2, "head_width": 8, "feed_forward": 80}
    return LlamaModel(**(defaults | sizes)).shape(vocabulary=101, context=64)


def test_a_hand_worked_model():
    shape = LlamaModel(width=8, layers=1, heads=2, kv_heads=1, head_width=4, feed_forward=16).shape(10, 32)
    count = count_parameters(shape)
    # query 8x8, key and value 4x8 each, output 8x8, gate, up and down 16x8 each, two norms of 8
    layer = 64 + 32 + 32 + 64 + 3 * 128 + 16
    assert count.by_place == {"embed": 80, "layers.0": layer, "norm": 8, "head": 80}
    assert count.total == 80 + layer + 8 + 80
    assert count.without_embedding == count.total - 80
    assert count.by_axes["heads x embed"] == 64
    assert sum(count.by_axes.values()) == count.total


def test_a_tied_head_counts_once():
    untied, tied = count_parameters(llama()), count_parameters(llama(tied=True))
    assert untied.total - tied.total == 101 * 48
    assert "head" not in tied.by_place


def test_the_llama_of_the_published_table_has_its_size():
    # Llama 2 7B: 6,738,415,616 parameters (Touvron et al. 2023; the number of its published checkpoint).
    shape = LlamaModel(width=4096, layers=32, heads=32, kv_heads=32, head_width=128, feed_forward=11008)
    assert count_parameters(shape.shape(vocabulary=32000, context=4096)).total == 6_738_415_616


@pytest.mark.parametrize("tied", [False, True])
def test_equal_to_the_built_model(tied):
    from stretto.models.build import build

    shape = llama(tied=tied)
    model = build(shape, device="meta")
    assert count_parameters(shape).total == sum(p.numel() for p in model.parameters())
