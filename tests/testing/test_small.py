"""Small models are what they say: real, and the same for the same seed."""

import torch

from stretto.checkpoint.reading import open_checkpoint
from stretto.testing.small import small_checkpoint, small_model, small_shape, small_tokenizer
from stretto.text.tokenizer import Tokenizer


def test_a_small_checkpoint(tmp_path):
    tokenizer = small_tokenizer()
    shape = small_shape(tokenizer.vocabulary, context=12, layers=1)
    model = small_model(shape, seed=4)
    folder = small_checkpoint(tmp_path / "run", model, shape, tokenizer)
    stored = open_checkpoint(folder)
    assert stored.manifest.shape == shape
    assert len(shape.layers) == 1
    assert Tokenizer.load(folder).digest == tokenizer.digest
    same, other = small_model(shape, seed=4), small_model(shape, seed=5)
    for name, weight in same.named_parameters():
        assert torch.equal(stored.read(f"model/{name}"), weight)
    assert not torch.equal(same.head_weight, other.head_weight)
