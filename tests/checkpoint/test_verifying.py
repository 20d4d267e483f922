"""Verifying: an intact checkpoint has no problems, every damage is one, and torch stays out of it."""

import subprocess
import sys

import pytest
import torch
from test_reading import DAMAGES
from writers import edit_manifest, model_tensors, write_whole

from stretto.checkpoint.dtypes import ELEMENT_TYPES
from stretto.checkpoint.verifying import verify
from stretto.spec.errors import UserError


def test_an_intact_checkpoint(tmp_path):
    folder = write_whole(tmp_path, 6)
    done = []
    verdict = verify(tmp_path, done.append)
    assert verdict.problems == ()
    assert verdict.intact
    assert (verdict.path, verdict.step) == (folder, 6)
    assert verdict.checked_bytes == sum(done)
    assert sum(done) == sum(p.stat().st_size for p in folder.iterdir() if p.name != "manifest.json")


@pytest.mark.parametrize("kind", DAMAGES)
def test_every_damage_is_found(tmp_path, kind):
    folder = write_whole(tmp_path, 1)
    DAMAGES[kind][0](folder)
    verdict = verify(folder)
    assert not verdict.intact
    assert all(str(folder) in problem and "\n" not in problem for problem in verdict.problems)


def test_every_element_type_is_verified(tmp_path):
    tensors = {f"state/{name}": torch.zeros(3, 2, dtype=getattr(torch, name)) for name in ELEMENT_TYPES}
    folder = write_whole(tmp_path, 1, model_tensors(1) | tensors)
    assert verify(folder).problems == ()


def test_every_damaged_file_is_named(tmp_path):
    folder = write_whole(tmp_path, 1)
    for path in folder.glob("*-00000.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    (folder / "tokenizer.json").unlink()
    problems = verify(folder).problems
    assert len(problems) == 3
    assert {word for p in problems for word in ("model-", "optimizer-", "tokenizer.json") if f"/{word}" in p} == {
        "model-",
        "optimizer-",
        "tokenizer.json",
    }


def test_tensors_are_held_against_the_parameter_table(tmp_path):
    tensors = model_tensors(1)
    del tensors["model/norm.weight"]
    tensors["model/head.weight"] = torch.zeros(20, 9)
    tensors["model/haed.weight"] = torch.zeros(20, 8)
    tensors["optimizer/haed.weight/mean"] = torch.zeros(20, 8)
    problems = verify(write_whole(tmp_path, 1, tensors)).problems
    assert [problem.partition("manifest.json: ")[2] for problem in problems] == [
        "parameter norm.weight of the model is missing.",
        "parameter head.weight has the shape [20, 9]; the model's is [20, 8].",
        "model/haed.weight is no parameter of the model.",
        "optimizer/haed.weight/mean belongs to no parameter of the model.",
    ]


def test_an_entry_that_the_manifest_does_not_know(tmp_path):
    folder = write_whole(tmp_path, 1)
    edit_manifest(
        folder, lambda data: data.update(tensors=[t for t in data["tensors"] if "norm.weight/mean" not in t["name"]])
    )
    assert any(
        "the manifest does not know its entry 'optimizer/norm.weight/mean'" in p for p in verify(folder).problems
    )


def test_no_checkpoint_at_all_is_the_callers_mistake(tmp_path):
    with pytest.raises(UserError, match="is no Stretto checkpoint"):
        verify(tmp_path)


def test_verifying_does_not_load_torch(tmp_path):
    write_whole(tmp_path, 1)
    code = (
        "import sys, pathlib; from stretto.checkpoint.verifying import verify; "
        f"assert verify(pathlib.Path({str(tmp_path)!r})).intact; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
