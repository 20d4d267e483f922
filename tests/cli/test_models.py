import json

import pytest

from stretto.cli.main import main
from stretto.count.parameters import count_parameters
from stretto.models.registry import FAMILIES
from stretto.spec.manifest import Manifest, Piece, Progress, StoredTensor
from stretto.spec.run.config import read_run
from stretto.spec.run.model import LlamaModel
from stretto.spec.value import dump_json

SIZES = ["--model.layers", "2", "--model.width", "64", "--vocabulary", "500"]

FILE = """
folder = "runs/a"
data.sources = [{path = "nowhere"}]
model.layers = 2
train.precision = "bfloat16"
"""


@pytest.fixture
def run_file(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'folder = "runs/a"\ndata.sources = [{path = "nowhere"}]\nmodel.layers = 2\ntrain.precision = "bfloat16"\n'
    )
    return path


@pytest.fixture
def checkpoint(tmp_path, run_file):
    config = read_run(run_file)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    manifest = Manifest(
        progress=Progress(step=3),
        shape=config.model.shape(300, 128),
        config=config.model_dump(mode="json"),
        config_digest="x",
        tensors=(StoredTensor(name="t", dtype="float32", shape=(), pieces=(Piece(file="f", key="t", intervals=()),)),),
        files=(),
        torch_version="2",
        stretto_version="0",
    )
    (folder / "manifest.json").write_text(dump_json(manifest))
    return folder


def counted(capsys, *words):
    assert main(["models", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_families(capsys):
    assert counted(capsys) == {"families": {name: family.summary for name, family in FAMILIES.items()}}
    assert main(["models"]) == 0
    assert "llama" in capsys.readouterr().out


def test_sizes_from_flags(capsys):
    found = counted(capsys, *SIZES, "--optimizer.kind", "muon", "--data.tokens", "32")
    shape = LlamaModel(layers=2, width=64).shape(500, 32)
    assert found["parameters"]["total"] == count_parameters(shape).total
    assert (found["optimizer"], found["context_tokens"]) == ("muon", 32)
    assert found["flops_per_token"]["training"] == 3 * found["flops_per_token"]["forward"]


def test_a_run_file_with_flags(capsys, run_file):
    found = counted(capsys, run_file, "--vocabulary", "500", "--model.layers", "3")
    assert found["precision"] == "bfloat16"
    assert found["bytes"]["weights_for_passes"] * 2 == found["bytes"]["weights"]
    assert sum(place.startswith("layers.") for place in found["parameters"]["by_place"]) == 3


def test_a_checkpoint(capsys, checkpoint):
    found = counted(capsys, checkpoint)
    assert (found["vocabulary"], found["context_tokens"], found["precision"]) == (300, 128, "bfloat16")


def test_text_for_people(capsys):
    assert main(["models", *SIZES]) == 0
    said = capsys.readouterr().out
    assert "model FLOPs: matrices and causal attention, no recomputation" in said
    assert "2 layers" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model.layers", "2"], "--vocabulary is missing"),
        (["--vocabulary", "0"], "--vocabulary is 0; expected an integer of at least 1."),
        (["--vocabulary", "9", "--model.heads", "3", "--model.kv_heads", "2"], "kv_heads is 2"),
        (["--vocabulary", "9", "--model.width", "none"], "model.width is None; expected an integer."),
        (["--vocabulary", "9", "--model.width", "x"], "model.width is 'x'; expected an integer."),
        (["/nowhere/at/all"], "does not exist"),
        (["RUN"], "data.sources.0.path is 'nowhere', which does not exist; give --vocabulary N instead."),
        (["CHECKPOINT", "--model.layers", "1"], "--model.layers cannot be given with"),
        (["CHECKPOINT", "--vocabulary", "1"], "--vocabulary cannot be given with"),
    ],
)
def test_mistakes(capsys, run_file, checkpoint, words, says):
    places = {"RUN": str(run_file), "CHECKPOINT": str(checkpoint)}
    assert main(["models", *(places.get(word, word) for word in words)]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
