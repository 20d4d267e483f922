import json

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.spec.errors import UserError
from stretto.text.names import SPECIALS, TextConfig
from stretto.text.tokenizer import Tokenizer

pieces = st.one_of(st.text(), st.sampled_from(SPECIALS), st.sampled_from(["\r\n", "\t", "    ", "\0", "é", "e\u0301"]))


@settings(deadline=None)
@given(text=st.lists(pieces, max_size=8).map("".join))
def test_every_text_comes_back_and_holds_no_special_token(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not set(ids) & set(tokenizer.special.values())


@settings(deadline=None)
@given(data=st.binary(max_size=64))
def test_every_byte_string_comes_back(tokenizer, data):
    ids = [tokenizer.id(name) for name in map(_character, data)]
    assert b"".join(tokenizer.bytes_of(i) for i in ids) == data


def _character(byte):
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return chr(byte) if byte in shown else chr(0x100 + sorted(set(range(256)) - set(shown)).index(byte))


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_bytes_of_tokens_join_to_the_text(tokenizer, text):
    assert b"".join(map(tokenizer.bytes_of, tokenizer.encode(text))) == text.encode()


def test_roles(tokenizer):
    assert [tokenizer.special[name] for name in SPECIALS] == [0, 1, 2, 3, 4]
    assert (tokenizer.begin, tokenizer.end) == (0, 1)
    assert tokenizer.end_tokens == {1, 4}
    assert tokenizer.vocabulary == 400
    assert tokenizer.name(0) == "<|begin_of_text|>"
    assert tokenizer.name(10**6) is None
    assert tokenizer.bytes_of(0) == tokenizer.bytes_of(10**6) == b""


def test_batch_equals_one_by_one(tokenizer):
    texts = ["", "voice", "<|eot_id|>", "über"]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(t) for t in texts]


def test_long_texts_are_tokenised_in_parts_with_the_same_tokens(tokenizer, monkeypatch):
    text = "".join(f"def voice_{i}(entry):\n    return theme[entry:]\n\n\n" for i in range(200))
    texts = ["", text, "short", text[7:] + "no line end", "x" * 900]
    expected = tokenizer.encode_batch(texts)
    monkeypatch.setattr("stretto.text.tokenizer.GROUP_CHARACTERS", 300)
    assert len(list(tokenizer._parts(text))) > 20
    assert len(list(tokenizer._parts(texts[-1]))) == 1
    assert tokenizer.encode_batch(texts) == expected


def test_a_tokenizer_that_marks_the_start_of_a_text_is_given_it_whole(monkeypatch):
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((c, -9.0) for c in "▁\nab")]
    inner = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, 0))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="always")
    loaded = Tokenizer(inner, TextConfig(begin="<s>", end="</s>", turn_ends=()))
    text = "ab\n" * 100
    expected = loaded.encode(text)
    monkeypatch.setattr("stretto.text.tokenizer.GROUP_CHARACTERS", 30)
    assert loaded.encode(text) == expected


def test_decode_shows_special_tokens_on_request(tokenizer):
    ids = [0, *tokenizer.encode("theme"), 1]
    assert tokenizer.decode(ids) == "theme"
    assert tokenizer.decode(ids, skip_special=False) == "<|begin_of_text|>theme<|end_of_text|>"


def test_half_a_surrogate_pair_is_refused(tokenizer):
    with pytest.raises(UserError, match="at character 2; expected Unicode"):
        tokenizer.encode("ab\ud800")


def test_saved_is_loaded_from_folder_and_file(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    for path in (tmp_path, tmp_path / "tokenizer.json", str(tmp_path)):
        loaded = Tokenizer.load(path)
        assert loaded.digest == tokenizer.digest
        assert loaded.encode("voice <|eot_id|>") == tokenizer.encode("voice <|eot_id|>")


def test_digest_covers_the_token_roles(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    path = tmp_path / "text_config.json"
    path.write_text(path.read_text().replace('"<|eot_id|>"', '"<|end_header_id|>"'))
    assert Tokenizer.load(tmp_path).digest != tokenizer.digest


def test_a_named_token_that_is_not_marked_special_is_made_so(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    table = json.loads(path.read_text())
    for entry in table["added_tokens"]:
        entry["special"] = False
    path.write_text(json.dumps(table))
    loaded = Tokenizer.load(tmp_path)
    assert 4 not in loaded.encode("<|eot_id|>")
    assert loaded.special == {"<|begin_of_text|>": 0, "<|end_of_text|>": 1, "<|eot_id|>": 4}


def test_a_named_token_of_the_plain_vocabulary_is_made_special(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    names = (tokenizer.name(i) for i in range(270, 400))
    word = next(n for n in names if n.isascii() and n.isalpha() and len(n) > 1)
    path = tmp_path / "text_config.json"
    path.write_text(path.read_text().replace('"<|end_of_text|>"', f'"{word}"'))
    loaded = Tokenizer.load(tmp_path)
    assert loaded.end == tokenizer.id(word)
    for text in (word, f"x {word}, {word}s", word * 3):
        ids = loaded.encode(text)
        assert loaded.end not in ids
        assert loaded.decode(ids) == text


def test_a_unigram_model_makes_no_special_token_from_text():
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((c, -9.0) for c in "▁</s>abc")]
    inner = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, 0))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="never")
    inner.decoder = tokenizers.decoders.Metaspace(prepend_scheme="never")
    assert inner.encode("a</s>").ids[-1] == 2
    loaded = Tokenizer(inner, TextConfig(begin="<s>", end="</s>", turn_ends=()))
    ids = loaded.encode("a</s>b<s>")
    assert not {1, 2} & set(ids)
    assert loaded.decode(ids) == "a</s>b<s>"


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (None, "does not exist; expected a tokenizer.json"),
        ("{", "cannot be read as a tokenizer"),
        ('{"version": "1.0"}', "cannot be read as a tokenizer"),
    ],
)
def test_what_is_no_tokenizer_is_refused(tmp_path, write, sentence):
    if write is not None:
        (tmp_path / "tokenizer.json").write_text(write)
    with pytest.raises(UserError, match=sentence):
        Tokenizer.load(tmp_path)
