import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.text.detokenize import LONGEST_WAIT, Detokenizer, StopTexts
from stretto.text.names import TextConfig
from stretto.text.tokenizer import Tokenizer

text_ids = st.text(max_size=20)


@settings(deadline=None)
@given(data=st.data())
def test_deltas_join_to_the_full_decode(tokenizer, data):
    random_ids = st.lists(st.integers(0, tokenizer.vocabulary - 1), max_size=30)
    ids = data.draw(st.lists(st.one_of(random_ids, st.text(max_size=9).map(tokenizer.encode)), max_size=4).map(_flat))
    detokenizer = Detokenizer(tokenizer)
    deltas = [detokenizer.push(i) for i in ids] + [detokenizer.finish()]
    assert "".join(deltas) == tokenizer.decode(ids)


def _flat(lists):
    return [i for ids in lists for i in ids]


def test_a_character_is_held_until_it_is_whole(tokenizer):
    ids = [tokenizer.id(c) for c in "ðŁİµ"]  # the four bytes of a note, as the byte alphabet spells them
    detokenizer = Detokenizer(tokenizer)
    assert [detokenizer.push(i) for i in ids] == ["", "", "", "🎵"]


def test_an_unfinished_character_comes_out_at_the_end(tokenizer):
    detokenizer = Detokenizer(tokenizer)
    assert detokenizer.push(tokenizer.id("ð")) == ""
    assert detokenizer.finish() == "�"


def test_special_tokens_give_no_text(tokenizer):
    detokenizer = Detokenizer(tokenizer)
    assert detokenizer.push(tokenizer.end) == ""


def test_cost_does_not_grow_with_the_text(tokenizer):
    ids = tokenizer.encode("voice theme " * 4000)
    detokenizer = Detokenizer(tokenizer)

    def seconds(part):
        start = time.perf_counter()
        for i in part:
            detokenizer.push(i)
        return time.perf_counter() - start

    first, last = seconds(ids[:2000]), seconds(ids[-2000:])
    assert last < 10 * first + 0.05


@pytest.fixture(scope="module")
def sentencepiece():
    """A tokenizer of Llama 2's kind: spaces as a mark, unknown characters as bytes, the first space dropped."""
    import tokenizers
    from tokenizers import decoders, models, normalizers

    words = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), "▁", "a", "b", "▁a"]
    vocabulary = {word: i for i, word in enumerate(words)}
    inner = tokenizers.Tokenizer(models.BPE(vocabulary, [("▁", "a")], unk_token="<unk>", byte_fallback=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return Tokenizer(inner, TextConfig(begin="<s>", end="</s>", turn_ends=()))


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab é🎵東"), max_size=60))
def test_byte_fallback_deltas_join_to_the_text(sentencepiece, text):
    ids = sentencepiece.encode(text)
    detokenizer = Detokenizer(sentencepiece)
    assert "".join([*map(detokenizer.push, ids), detokenizer.finish()]) == sentencepiece.decode(ids)


def test_bytes_that_are_no_text_are_not_held_for_ever(sentencepiece):
    detokenizer = Detokenizer(sentencepiece)
    bad = sentencepiece.id("<0xFF>")
    deltas = [detokenizer.push(bad) for _ in range(LONGEST_WAIT)]
    assert "".join(deltas) == "�" * LONGEST_WAIT


def _stream(stops, pieces):
    watch, out = StopTexts(stops), ""
    for piece in pieces:
        text, met = watch.push(piece)
        out += text
        if met:
            return out, True
    return out + watch.finish(), False


@settings(deadline=None)
@given(
    stops=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3).map(tuple),
    pieces=st.lists(st.text("abc", max_size=5), max_size=8),
)
def test_stopping_does_not_depend_on_the_pieces(stops, pieces):
    text = "".join(pieces)
    ends = [(text.find(s) + len(s), text.find(s)) for s in stops if s in text]
    expected = (text[: min(ends)[1]], True) if ends else (text, False)
    assert _stream(stops, pieces) == _stream(stops, list(text)) == expected


def test_only_what_may_begin_a_stop_text_is_withheld():
    watch = StopTexts(("\n\n", "END"))
    assert watch.push("one\n") == ("one", False)
    assert watch.push("two E") == ("\ntwo ", False)
    assert watch.push("N") == ("", False)
    assert watch.push("D rest") == ("", True)
