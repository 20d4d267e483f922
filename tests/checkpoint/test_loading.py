"""A checkpoint as a model: its weights in the asked arithmetic, and a sentence for what does not fit."""

import pytest
import torch

from stretto.checkpoint.loading import choose_device, choose_dtype, load_model, load_tokenizer
from stretto.checkpoint.reading import open_checkpoint
from stretto.spec.errors import UserError
from stretto.testing.small import small_checkpoint, small_model, small_shape, small_tokenizer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


def _stored(tmp_path, tokenizer, model_shape, told_shape):
    return open_checkpoint(small_checkpoint(tmp_path / "run", small_model(model_shape), told_shape, tokenizer))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_weights_are_converted(tmp_path, tokenizer, dtype):
    shape = small_shape(tokenizer.vocabulary)
    loaded = load_model(_stored(tmp_path, tokenizer, shape, shape), CPU, dtype)
    for (name, ours), written in zip(loaded.named_parameters(), small_model(shape).parameters(), strict=True):
        assert torch.equal(ours, written.to(dtype)), name
        assert not ours.requires_grad


def test_models_that_the_manifest_does_not_describe(tmp_path, tokenizer):
    shape = small_shape(tokenizer.vocabulary)
    wider = small_shape(tokenizer.vocabulary, feed_forward=50)
    with pytest.raises(UserError, match=r"layers.0.feed_forward.gate.weight has the shape \[48, 32\]"):
        load_model(_stored(tmp_path, tokenizer, shape, wider), CPU, torch.float32)
    deeper = small_shape(tokenizer.vocabulary, layers=3)
    with pytest.raises(UserError, match=r"layers\.2\."):
        load_model(_stored(tmp_path / "b", tokenizer, shape, deeper), CPU, torch.float32)


def test_tokenizers_that_do_not_fit(tmp_path, tokenizer):
    tokenizer.save(tmp_path)
    assert load_tokenizer(tmp_path, tokenizer.vocabulary + 4).digest == tokenizer.digest
    with pytest.raises(UserError, match="has 300 ids and the model 299; expected no more ids than the model has"):
        load_tokenizer(tmp_path, 299)
    with pytest.raises(UserError, match=r"does not exist; expected a tokenizer\.json"):
        load_tokenizer(tmp_path / "none", 300)


def test_devices_and_precisions(monkeypatch):
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="device is 'gpu'; expected one of auto, cpu, cuda"):
        choose_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="which has no CUDA GPU"):
        choose_device("cuda")
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16
    with pytest.raises(UserError, match="precision is 'float16'; expected one of"):
        choose_dtype("float16", CPU)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(UserError, match="use 'float32'"):
        choose_dtype("bfloat16", torch.device("cuda"))
