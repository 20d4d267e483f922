import json
import tomllib
from pathlib import Path

import pytest

from stretto.cli.doctor import EXTRAS, arithmetic, extra, numbers, oldest_torch, software
from stretto.cli.main import main
from stretto.probe.machine import Accelerator, Machine

BARE = Machine("Linux x", "", 2, None, None, (), (), ("gloo",), "3.11.0", "2.13.0+cpu")


def test_it_looks_at_this_machine(capsys):
    assert main(["doctor", "--seconds", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["cores"] >= 1
    assert found["peak_flops"] == {}
    assert {"cores", "memory", "torch", "collectives", "disk"} <= {finding["what"] for finding in found["findings"]}


def test_it_measures(capsys):
    assert main(["doctor", "--seconds", "0.3"]) == 0
    said = capsys.readouterr().out
    assert "GFLOP/s" in said
    assert "is advisable" in said


@pytest.mark.parametrize(("bfloat16", "says"), [(300e9, "bfloat16 is advisable"), (90e9, "float32 is advisable")])
def test_the_advice_follows_the_measurement(bfloat16, says):
    (finding,) = arithmetic(BARE, {"float32": 100e9, "bfloat16": bfloat16, "float64": 50e9})
    assert says in finding.therefore


def test_what_keeps_stretto_from_running_is_not_good():
    old = Machine("Linux x", "", 2, None, None, (), (), (), "3.11.0", "2.9.1")
    bad = {finding.what for finding in software(old) if not finding.good}
    assert bad == {"torch", "collectives"}


def test_a_gpu_wants_nccl():
    gpu = Machine("Linux x", "", 2, None, None, (), (Accelerator("g", 1, "9.0"),), ("gloo",), "3.11.0", "2.13.0")
    assert "no nccl" in next(finding for finding in software(gpu) if finding.what == "collectives").therefore


def test_the_extras_are_those_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"test", "dev"}
    assert f"torch>={oldest_torch()}" in project["dependencies"]


def test_a_missing_extra_says_what_it_would_bring():
    finding = extra("parquet", "no_such_module_at_all", "reading Parquet")
    assert finding.found == "missing"
    assert "stretto[parquet]" in finding.therefore


@pytest.mark.parametrize(("version", "pair"), [("2.13.0+cpu", (2, 13)), ("2.9.1", (2, 9)), ("3.0.0.dev1", (3, 0))])
def test_versions_compare_as_numbers(version, pair):
    assert numbers(version) == pair


@pytest.mark.parametrize("words", [["--seconds", "-1"], ["--seconds", "nan"], ["--folder", "/nowhere/at/all"]])
def test_mistakes(capsys, words):
    assert main(["doctor", *words]) == 2
    assert "expected" in capsys.readouterr().err
