"""`stretto checkpoint`: what it prints, its exit codes, and that it does without torch."""

import json
import subprocess
import sys

import pytest
import torch

from stretto.checkpoint.group import OneRank
from stretto.checkpoint.shards import whole_piece
from stretto.checkpoint.writing import write
from stretto.cli.main import main
from stretto.spec.manifest import Header, Progress
from stretto.spec.parameters import parameters
from stretto.spec.run.model import LlamaModel

SHAPE = LlamaModel(width=8, layers=1, heads=2, kv_heads=1, head_width=4, feed_forward=12).shape(20, 16)
COUNT = sum(parameter.size for parameter in parameters(SHAPE))


@pytest.fixture
def run_folder(tmp_path):
    header = Header(
        progress=Progress(step=1500, tokens=123456), shape=SHAPE, config={}, config_digest="0123456789abcdef"
    )
    pieces = [whole_piece(f"model/{p.name}", torch.zeros(p.shape)) for p in parameters(SHAPE)]
    write(tmp_path, header, pieces, {"tokenizer.json": b"{}"}, OneRank())
    return tmp_path


def test_inspect_for_people(run_folder, capsys):
    assert main(["checkpoint", "inspect", str(run_folder), "--tensors"]) == 0
    shown = capsys.readouterr().out
    for expected in ("1,500", "123,456", f"{COUNT:,}", "0123456789abcdef", "tokenizer.json", "model/embed.weight"):
        assert expected in shown
    assert "model-00000.safetensors [0:20, 0:8]" in shown


def test_inspect_for_machines(run_folder, capsys):
    assert main(["checkpoint", "inspect", str(run_folder), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["step"], data["tokens"], data["parameters"]) == (1500, 123456, COUNT)
    assert data["bytes"] == sum(file["size_bytes"] for file in data["files"])
    assert "tensors" not in data
    assert main(["checkpoint", "inspect", str(run_folder), "--json", "--tensors"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tensors"]) == len(parameters(SHAPE))


def test_verify(run_folder, capsys):
    assert main(["checkpoint", "verify", str(run_folder)]) == 0
    assert "is intact: " in capsys.readouterr().out
    shard = run_folder / "checkpoints" / "step-00001500" / "model-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert main(["checkpoint", "verify", str(run_folder), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert not data["intact"]
    assert [str(shard) in problem for problem in data["problems"]] == [True]


@pytest.mark.parametrize(
    "words", [["inspect"], ["verify"], [], ["inspect", "nowhere"], ["verify", "."], ["inspekt", "."]]
)
def test_mistakes_are_one_sentence(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["checkpoint", *words]) == 2
    sentence = capsys.readouterr().err
    assert sentence.startswith("stretto: ")
    assert sentence.count("\n") == 1


def test_torch_is_not_loaded(run_folder):
    code = (
        "import sys; from stretto.cli.main import main; "
        f"codes = [main(['checkpoint', action, {str(run_folder)!r}]) for action in ('inspect', 'verify')]; "
        "assert codes == [0, 0], codes; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
