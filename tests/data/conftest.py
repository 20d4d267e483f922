"""Small tokenizers and data sets for the tests of this room."""

import numpy as np
import pytest

from stretto.data.dataset import Dataset
from stretto.data.shards import INDEX_FILE
from stretto.data.writing import DatasetWriter
from stretto.spec.run.data import Data, Source
from stretto.spec.value import dump_json
from stretto.text.training import train_tokenizer


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer(["def voice(entry):\n    return theme[entry:]\n", "What is a stretto? Ein Kanon."], 300)


@pytest.fixture(scope="session")
def write(tokenizer, tmp_path_factory):
    """``write([3, 5])`` is a data set with documents of these lengths and a different number for every token.

    `loss` has a list of flags, or None, for every document.
    """

    def make(lengths, loss=None, shard_tokens=10**9):
        folder = tmp_path_factory.mktemp("data") / "set"
        writer = DatasetWriter(folder, tokenizer, shard_tokens)
        starts = np.cumsum([0, *lengths])
        for i, length in enumerate(lengths):
            tokens = range(int(starts[i]), int(starts[i]) + length)
            writer.add(f"document {i}", tokens, None if loss is None else loss[i], length * 4)
        index = writer.finish({})
        wide = index.model_copy(update={"vocabulary": max(index.vocabulary, sum(lengths))})
        (folder / INDEX_FILE).write_text(dump_json(wide))
        return Dataset.open(folder)

    return make


def data(*datasets, **fields):
    """The [data] table that reads these data sets."""
    return Data(sources=tuple(Source(path=d.folder) for d in datasets), **fields)
