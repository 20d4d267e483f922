"""What cannot be evaluated is said in one sentence; the figures themselves are tested where the command is."""

import json

import pytest

from stretto.data.build import build
from stretto.spec.errors import UserError
from stretto.testing.small import small_checkpoint, small_model, small_shape, small_tokenizer
from stretto.train.evaluation import evaluate


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


@pytest.fixture
def checkpoint(tmp_path, tokenizer):
    shape = small_shape(tokenizer.vocabulary)
    return small_checkpoint(tmp_path / "run", small_model(shape), shape, tokenizer)


def _data(folder, tokenizer, *messages):
    path = folder / "chats.jsonl"
    path.write_text("\n".join(json.dumps({"messages": m}) for m in messages))
    build([path], folder / "data", tokenizer=tokenizer, validation=0)
    return folder / "data" / "train"


def test_chats_that_say_nothing(tmp_path, tokenizer, checkpoint):
    silent = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": ""}]
    data = _data(tmp_path, tokenizer, silent)
    with pytest.raises(UserError, match=r"holds no text to predict: \d+ of its tokens .* stand for 0 bytes; expected"):
        evaluate(checkpoint, data, device="cpu")


@pytest.mark.parametrize(
    ("tokens", "sentence"), [(0, "tokens is 0; expected at least 1"), (65, "tokens is 65; expected at most")]
)
def test_lengths_that_cannot_be(tmp_path, tokenizer, checkpoint, tokens, sentence):
    spoken = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "Ein Kanon."}]
    data = _data(tmp_path, tokenizer, spoken)
    with pytest.raises(UserError, match=sentence):
        evaluate(checkpoint, data, tokens=tokens, device="cpu")
    assert evaluate(checkpoint, data, device="cpu").text_bytes == len("Ein Kanon.")
