import json

import pytest

from stretto.data.build import build
from stretto.data.dataset import Dataset
from stretto.spec.errors import UserError
from stretto.text.chat import encode_chat
from stretto.text.tokenizer import Tokenizer


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(60):
        (folder / f"{i:02}.py").write_text(f"def voice_{i}(entry):\n    return theme[entry + {i}:]\n")
    (folder / "bad.py").write_bytes(b"\xff")
    return folder


def contents(dataset):
    tokenizer = Tokenizer.load(dataset.folder)
    return {tokenizer.decode(dataset.document(i)[0].tolist()) for i in range(len(dataset))}


def test_every_document_is_in_one_of_the_two_sets(corpus, tmp_path):
    built = build([corpus], tmp_path / "out", vocabulary=300, validation=0.2)
    train, validation = (Dataset.open(tmp_path / "out" / name) for name in ("train", "validation"))
    expected = {p.read_text() for p in corpus.glob("*.py") if p.name != "bad.py"}
    assert contents(train) | contents(validation) == expected
    assert len(train) + len(validation) == 60
    assert len(validation) > 0
    assert sum(train.text_bytes) + sum(validation.text_bytes) == sum(len(t) for t in expected)
    assert (built.train, built.validation) == (train.index, validation.index)
    assert built.skipped == {"not UTF-8": 1}
    line = json.loads((tmp_path / "out" / "skipped.jsonl").read_text())
    assert line == {"path": str(corpus / "bad.py"), "line": 1, "why": "not UTF-8: byte 0xff"}


def test_documents_begin_and_end(corpus, tmp_path):
    build([corpus], tmp_path / "out", vocabulary=300, validation=0)
    dataset = Dataset.open(tmp_path / "out" / "train")
    tokenizer = Tokenizer.load(dataset.folder)
    tokens, loss = dataset.document(0)
    text = (corpus / "00.py").read_text()
    assert tokens.tolist() == [tokenizer.begin, *tokenizer.encode(text), tokenizer.end]
    assert loss is None
    assert dataset.index.tokenizer == tokenizer.digest
    assert next(dataset.names()) == str(corpus / "00.py")
    assert dataset.text_bytes[0] == len(text)


def test_held_out_text_does_not_reach_the_tokenizer(corpus, tmp_path):
    build([corpus], tmp_path / "a", vocabulary=300, validation=0.5)
    held_out = set(Dataset.open(tmp_path / "a" / "validation").names())
    kept = [p for p in corpus.glob("*.py") if str(p) not in held_out]
    build(sorted(kept), tmp_path / "b", vocabulary=300, validation=0)
    digests = {Tokenizer.load(tmp_path / part / "train").digest for part in ("a", "b")}
    assert len(digests) == 1


def test_a_given_tokenizer_is_used(corpus, tmp_path, tokenizer):
    build([corpus], tmp_path / "out", tokenizer=tokenizer, validation=0)
    assert Tokenizer.load(tmp_path / "out" / "train").digest == tokenizer.digest


def test_chats_carry_loss_on_chosen_turns(tmp_path, tokenizer):
    chat = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": " A Kanon. \n"}]
    records = [
        {"text": "plain text"},
        {"messages": chat},
        {"messages": chat[:1]},
        {"messages": [*chat[:1], {"role": "assistant", "content": "", "tool_calls": [{}]}]},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    built = build([path], tmp_path / "out", tokenizer=tokenizer, validation=0)
    dataset = Dataset.open(tmp_path / "out" / "train")
    assert built.skipped == {"chat": 2}
    assert dataset.has_loss
    tokens, loss = dataset.document(0)
    assert loss.all()
    tokens, loss = dataset.document(1)
    assert (tokens.tolist(), loss.tolist()) == encode_chat(tokenizer, chat)
    assert dataset.text_bytes.tolist() == [len("plain text"), len("A Kanon.")]
    assert dataset.predicted_tokens == len(dataset.document(0)[0]) - 1 + int(loss.sum())


def test_progress_reaches_every_document(corpus, tmp_path):
    seen = []
    build([corpus], tmp_path / "out", vocabulary=300, validation=0, progress=seen.append)
    assert seen[-1].documents == 60
    assert seen[-1].characters == sum(len(p.read_bytes()) for p in corpus.glob("*.py")) - 1


def test_nothing_is_overwritten(corpus, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="exists and is never overwritten"):
        build([corpus], tmp_path / "out", vocabulary=300)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "either a vocabulary"),
        ({"vocabulary": 300, "validation": 1.0}, "validation is 1.0; expected a share"),
        ({"vocabulary": 300, "validation": -0.1}, "validation is -0.1"),
        ({"vocabulary": 3}, "vocabulary is 3; expected 261"),
        ({"vocabulary": 300, "validation": 1e-9}, "none of the 60 documents falls into the validation share"),
        ({"vocabulary": 300, "suffixes": [".rs"]}, "no file was found"),
        ({"vocabulary": 300, "loss_roles": ["me"]}, "loss_roles is 'me'"),
    ],
)
def test_wrong_input_ends_in_a_sentence_and_leaves_nothing(corpus, tmp_path, options, sentence):
    with pytest.raises(UserError, match=sentence):
        build([corpus], tmp_path / "out", **options)
    assert [p.name for p in tmp_path.iterdir()] == ["corpus"]


@pytest.mark.parametrize("given", ["vocabulary", "tokenizer"])
def test_an_empty_corpus(tmp_path, tokenizer, given):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("")
    with pytest.raises(UserError, match=r"no document to train on \(1 left out as empty\)"):
        build([tmp_path / "corpus"], tmp_path / "out", **{given: {"vocabulary": 300, "tokenizer": tokenizer}[given]})
