"""What a reader sees of a request: certain text only, nothing of a stop text, and the right end."""

import itertools

import pytest

from stretto.engine.running import Running
from stretto.spec.request import Request, Sampling
from stretto.testing.small import small_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


def _bytes(tokenizer, text):
    """Ids of single bytes, however few bytes a character has."""
    ids = {tokenizer.bytes_of(i): i for i in reversed(range(tokenizer.vocabulary))}
    return [ids[bytes([b])] for b in text.encode()]


def _deltas(tokenizer, tokens, context=100, prompt=(0,), **fields):
    running = Running(Request("r", prompt, Sampling(**fields)), tokenizer, context)
    deltas = []
    for token in tokens:
        deltas.append(running.take(token, -0.5))
        if running.finish:
            break
    return deltas


def _texts(deltas):
    return [delta.text for delta in deltas]


def test_characters_come_whole(tokenizer):
    deltas = _deltas(tokenizer, [*_bytes(tokenizer, "aé𝄞"), tokenizer.end])
    assert _texts(deltas) == ["a", "", "é", "", "", "", "𝄞", ""]
    assert [d.finish for d in deltas] == [None] * 7 + ["stop"]
    assert [d.token for d in deltas][-1] == tokenizer.end


@pytest.mark.parametrize("ending", ["length", "stop"])
def test_an_unfinished_character_comes_at_the_end(tokenizer, ending):
    tokens = _bytes(tokenizer, "𝄞")[:3]
    deltas = _deltas(tokenizer, [*tokens, tokenizer.end], max_tokens=3 if ending == "length" else 9)
    assert "".join(_texts(deltas)) == tokenizer.decode(tokens)
    assert deltas[-1].finish == ending


@pytest.mark.parametrize("end", ["end", "turn"])
def test_end_tokens_give_no_text(tokenizer, end):
    token = {"end": tokenizer.end, "turn": tokenizer.id("<|eot_id|>")}[end]
    deltas = _deltas(tokenizer, [*tokenizer.encode("theme"), token, *tokenizer.encode(" more")])
    assert "".join(_texts(deltas)) == "theme"
    assert deltas[-1].finish == "stop"


def test_a_stop_text_that_spans_tokens_never_shows(tokenizer):
    deltas = _deltas(tokenizer, _bytes(tokenizer, "one STO two STOP three"), stop=("STOP", "never"))
    texts = _texts(deltas)
    assert "".join(texts) == "one STO two "
    assert deltas[-1].finish == "stop"
    shown = list(itertools.accumulate(texts))
    assert all("one STO two ".startswith(text) for text in shown)
    assert shown[6] == "one "  # STO may yet become STOP
    assert shown[7] == "one STO "


@pytest.mark.parametrize(("text", "stop", "kept"), [("abc", ("abc",), ""), ("xéy", ("é",), "x"), ("aab", ("ab",), "a")])
def test_stop_texts(tokenizer, text, stop, kept):
    deltas = _deltas(tokenizer, _bytes(tokenizer, text), stop=stop)
    assert "".join(_texts(deltas)) == kept
    assert deltas[-1].finish == "stop"


def test_withheld_text_comes_when_the_stop_text_does_not(tokenizer):
    for tokens, limit in (([*_bytes(tokenizer, "a ST"), tokenizer.end], 99), (_bytes(tokenizer, "a STxx"), 4)):
        deltas = _deltas(tokenizer, tokens, stop=("STOP",), max_tokens=limit)
        assert "".join(_texts(deltas)) == "a ST"
        assert len(deltas) == len(_texts(deltas)) == (5 if limit == 99 else 4)


def test_the_replacement_of_a_broken_character_may_complete_a_stop_text(tokenizer):
    tokens = [*_bytes(tokenizer, "a"), _bytes(tokenizer, "é")[0]]
    deltas = _deltas(tokenizer, [*tokens, tokenizer.end], stop=("\N{REPLACEMENT CHARACTER}",))
    assert "".join(_texts(deltas)) == "a"
    deltas = _deltas(tokenizer, tokens, stop=("\N{REPLACEMENT CHARACTER}",), max_tokens=2)
    assert "".join(_texts(deltas)) == "a"
    assert deltas[-1].finish == "stop"


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "drawn"), [(10, 99, 1), (7, 99, 4), (1, 10, 10), (1, 11, 10), (9, 1, 1)]
)
def test_length(tokenizer, prompt, max_tokens, drawn):
    # A context of ten positions: the token after the tenth can be drawn and has no place to be fed to.
    deltas = _deltas(tokenizer, [70] * 50, context=10, prompt=(70,) * prompt, max_tokens=max_tokens)
    assert len(deltas) == drawn
    assert [d.finish for d in deltas] == [None] * (drawn - 1) + ["length"]
    assert "".join(_texts(deltas)) == tokenizer.decode([70] * drawn)


def test_positions_count_from_the_start_of_the_text(tokenizer):
    running = Running(Request("r", (5, 6, 7), Sampling()), tokenizer, 100)
    assert (running.draw.position, running.unfed, running.fed) == (3, (5, 6, 7), 0)
    running.take(70, -1.0)
    assert (running.draw.position, running.unfed, running.fed) == (4, (70,), 3)
