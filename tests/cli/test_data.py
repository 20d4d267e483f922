"""`stretto data`: what it prints, its exit codes, and that it does without torch."""

import json
import subprocess
import sys

import pytest

from stretto.cli.main import main
from stretto.data.dataset import Dataset


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(60):
        (folder / f"{i:02}.py").write_text(f"def voice_{i}(entry):\n    return theme[entry + {i}:]\n")
    (folder / "bad.py").write_bytes(b"\xff")
    (folder / "notes.txt").write_text("not taken")
    return folder


def build(corpus, *more):
    output = corpus.parent / "out"
    words = ["data", "build", str(corpus), "--output", str(output), "--vocabulary", "300", *more]
    return main(words), output


def test_build_for_people(corpus, capsys):
    code, output = build(corpus, "--suffix", ".py", "--validation", "0.2")
    shown = capsys.readouterr().out
    assert code == 0
    assert len(Dataset.open(output / "train")) + len(Dataset.open(output / "validation")) == 60
    assert f"Left out: 1 not UTF-8 (see {output / 'skipped.jsonl'})." in shown
    assert f"Wrote {output / 'train'} and {output / 'validation'}." in shown


def test_build_for_machines_with_a_tokenizer(corpus, capsys):
    _, output = build(corpus, "--validation", "0")
    capsys.readouterr()
    again = corpus.parent / "again"
    words = ["data", "build", str(corpus), "--output", str(again), "--tokenizer", str(output / "train"), "--json"]
    assert main([*words, "--validation", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["train"]["documents"] == 61
    assert found["skipped"] == {"not UTF-8": 1}
    assert "validation" not in found
    assert found["train"]["tokenizer"] == Dataset.open(output / "train").index.tokenizer


def test_inspect(corpus, capsys):
    _, output = build(corpus, "--validation", "0.2")
    capsys.readouterr()
    assert main(["data", "inspect", str(output), "--tokens", "64"]) == 0
    shown = capsys.readouterr().out
    assert str(output / "validation") in shown
    assert "rows of 64 tokens" in shown
    assert main(["data", "inspect", str(output / "train"), "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out).values()
    assert found["documents"] == len(Dataset.open(output / "train"))
    assert found["packing"]["tokens"] == 1024


def test_inspect_a_mixture(corpus, capsys):
    _, output = build(corpus, "--validation", "0.2")
    capsys.readouterr()
    run = corpus.parent / "run.toml"
    sources = "".join(
        f'[[data.sources]]\npath = "{output / name}"\nweight = {weight}\n'
        for name, weight in (("train", 3), ("validation", 1))
    )
    run.write_text(f'folder = "x"\n[data]\ntokens = 32\n{sources}')
    assert main(["data", "inspect", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [m["share"] for m in found["mixture"]] == [0.75, 0.25]
    assert [s["packing"]["tokens"] for s in found["sources"].values()] == [32, 32]
    assert main(["data", "inspect", str(run), "--tokens", "16"]) == 0
    assert "75.0%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["build", "{corpus}", "--output", "{corpus}"], "exists and is never overwritten"),
        (["build", "{corpus}/nothing", "--output", "{corpus}/out"], "does not exist; expected a folder, a file"),
        (["build", "{corpus}", "--output", "{corpus}/out", "--vocabulary", "7"], "vocabulary is 7; expected 261"),
        (["build", "{corpus}", "--output", "{corpus}/out", "--tokenizer", "{corpus}"], "expected a tokenizer.json"),
        (["build", "{corpus}", "--output", "{corpus}/out", "--loss-roles", "me"], "loss_roles is 'me'"),
        (["build", "{corpus}", "--output", "{corpus}/out", "--validation", "2"], "validation is 2.0"),
        (["build", "{corpus}"], "--output"),
        (["inspect", "{corpus}"], "is no data set"),
        (["inspect", "{corpus}", "--tokens", "0"], "--tokens is 0"),
        (["inspect", "a.toml", "b.toml"], "expected one path"),
    ],
)
def test_mistakes_end_in_one_sentence(corpus, capsys, words, sentence):
    assert main(["data", *(word.format(corpus=corpus) for word in words)]) == 2
    shown = capsys.readouterr().err.strip().splitlines()
    assert sentence in shown[-1]
    assert not any("Traceback" in line for line in shown)


def test_without_torch(corpus):
    program = (
        "import sys; from stretto.cli.main import main; "
        f"corpus, output = {str(corpus)!r}, {str(corpus.parent / 'o')!r}; "
        "code = main(['data', 'build', corpus, '--output', output, '--vocabulary', '300']); "
        "sys.exit(code or main(['data', 'inspect', output]) or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
