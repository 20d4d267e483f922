import pytest

from stretto.spec.errors import UserError
from stretto.text.training import SMALLEST, train_tokenizer

CODE = """\
class Voice:
    def enter(self):
        return self.theme


class Theme:
    def play(self):
        pass
"""


def test_two_trainings_and_another_order_agree():
    texts = [f"{CODE}{i}" for i in range(50)]
    digests = {train_tokenizer(t, 350).digest for t in (texts, texts, texts[::-1])}
    assert len(digests) == 1


def test_a_line_end_with_its_indentation_is_one_token():
    tokenizer = train_tokenizer([CODE * 20], 330)
    pieces = [tokenizer.decode([i]) for i in tokenizer.encode(CODE)]
    assert "):\n        " in pieces


def test_digits_come_in_groups_of_at_most_three():
    tokenizer = train_tokenizer(["1234567 " * 100], 300)
    assert max(len(tokenizer.decode([i])) for i in tokenizer.encode("1234567")) == 3


def test_little_text_gives_a_smaller_vocabulary():
    assert train_tokenizer(["ab"], 5000).vocabulary < 300


@pytest.mark.parametrize("vocabulary", [0, SMALLEST - 1, 2**20 + 1])
def test_vocabulary_out_of_range(vocabulary):
    with pytest.raises(UserError, match=f"vocabulary is {vocabulary}; expected {SMALLEST}"):
        train_tokenizer(["text"], vocabulary)


@pytest.mark.parametrize("texts", [[], [""]])
def test_no_text(texts):
    with pytest.raises(UserError, match="no text to train"):
        train_tokenizer(texts, 300)
