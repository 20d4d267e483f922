import pytest

from stretto.count.bytes import kv_bytes_per_token, training_bytes, weight_bytes
from stretto.count.parameters import count_parameters
from stretto.spec.run.model import LlamaModel
from stretto.spec.run.optimizer import AdamW, Muon

SHAPE = LlamaModel(width=8, layers=2, heads=2, kv_heads=1, head_width=4, feed_forward=16).shape(10, 32)
TOTAL = count_parameters(SHAPE).total


def test_adamw_in_float32_is_sixteen_bytes_a_parameter():
    assert training_bytes(SHAPE, "float32", AdamW()).total_bytes == 16 * TOTAL


def test_bfloat16_passes_keep_float32_state_and_a_copy():
    state = training_bytes(SHAPE, "bfloat16", AdamW())
    assert state.pass_weights_bytes == 2 * TOTAL
    assert state.total_bytes == 18 * TOTAL


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("float64", 8), ("bfloat16", 4)])
def test_muon_keeps_one_moment_of_a_layers_matrix(precision, size):
    matrices = 2 * (64 + 32 + 32 + 64 + 3 * 128)
    expected = size * (matrices + 2 * (TOTAL - matrices))
    assert training_bytes(SHAPE, precision, Muon()).optimizer_bytes == expected


def test_weights_and_cache():
    assert weight_bytes(SHAPE, "bfloat16") == 2 * TOTAL
    # two layers, one key and one value head of width 4
    assert kv_bytes_per_token(SHAPE, "float32") == 2 * 2 * 4 * 4


def test_equal_to_what_torch_optimizers_keep():
    torch = pytest.importorskip("torch")
    from stretto.models.build import build

    model = build(SHAPE)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    kept = sum(t.nbytes for state in optimizer.state.values() for t in state.values() if t.dim())
    assert kept == training_bytes(SHAPE, "float32", AdamW()).optimizer_bytes


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_equal_to_what_a_run_holds(precision):
    torch = pytest.importorskip("torch")
    from stretto.train.stages import build_stages

    stages = build_stages(SHAPE, 2, precision, torch.device("cpu"), seed=0)
    state = training_bytes(SHAPE, precision, AdamW())
    assert sum(stage.flat_weights.nbytes for stage in stages) == state.weights_bytes
    assert sum(stage.flat_grads.nbytes for stage in stages) == state.gradients_bytes
    copies = sum(p.nbytes for stage in stages for p in stage.part.parameters() if stage.copies)
    assert copies == state.pass_weights_bytes
