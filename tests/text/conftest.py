"""Tokenizers for the tests of this room."""

import pytest

from stretto.text.training import train_tokenizer

TEXTS = [
    "def voice(entry, theme):\n    return theme[entry:] + theme[:entry]\n" * 3,
    "You are a helpful assistant.\nWhat is a stretto? A voice that enters before the last one has finished.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 東京 🎵",
]


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer(TEXTS, 400)
