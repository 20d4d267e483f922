"""`stretto schedule show`: the figures, for machines and people, the files, and what is said about mistakes."""

import json
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest

from stretto.cli.main import main
from stretto.spec.program_file import read_program

SIZES = ["--ranks", "4", "--microbatches", "8"]


def _json(words, capsys):
    assert main(["schedule", "show", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_figures_for_machines(capsys):
    found = _json(["1f1b", *SIZES], capsys)
    assert found["kind"] == "1f1b"
    assert (found["ranks"], found["microbatches"], found["chunks"]) == (4, 8, 1)
    assert found["makespan"] == 33
    assert found["span"] == 33
    assert found["bubble_rate_makespan"] == pytest.approx(9 / 33)
    assert found["bubble_rate_span"] == pytest.approx(9 / 33)
    assert found["peak_activation"] == [4, 3, 2, 1]
    assert found["transfers"] == 48
    assert found["passes"] == 64
    assert 24 <= found["lower_bound"] <= 33
    assert found["verified"] is True


def test_costs_change_the_figures(capsys, tmp_path):
    costs = ["--forward", "18.522", "--input-grad", "18.086", "--weight-grad", "9.337", "--transfer", "0.601"]
    found = _json(["1f1b", "--ranks", "8", "--microbatches", "24", *costs], capsys)
    assert round(found["bubble_rate_makespan"], 4) == 0.2431
    file = tmp_path / "costs.toml"
    file.write_text("forward = 18.522\ninput_grad = 18.086\nweight_grad = 9.337\ntransfer = 0.601\n")
    assert _json(["1f1b", "--ranks", "8", "--microbatches", "24", "--costs", str(file)], capsys) == found


def test_choices_arrive(capsys):
    assert _json(["interleaved-1f1b", *SIZES, "--chunks", "3"], capsys)["chunks"] == 3
    assert _json(["1f1b", *SIZES, "--slices", "2"], capsys)["slices"] == 2
    assert _json(["1f1b", *SIZES, "--vocabulary", "two"], capsys)["peak_activation"][0] == 6
    assert _json(["dualpipe", *SIZES], capsys)["copies"] == 2


def test_people_see_a_timeline_and_figures(capsys):
    assert main(["schedule", "show", "zb-v", *SIZES]) == 0
    shown = capsys.readouterr().out
    assert "rank 3" in shown
    assert "25.5" in shown
    assert "bubble of the longest span" in shown
    assert "\x1b" not in shown


def test_files(tmp_path, capsys):
    names = {"--svg": "a.svg", "--html": "a.html", "--perfetto": "a.json", "--program": "p.json", "--csv": "a.csv"}
    names |= {"--comms-csv": "b.csv"}
    words = [word for flag, name in names.items() for word in (flag, str(tmp_path / name))]
    assert main(["schedule", "show", "1f1b", *SIZES, *words]) == 0
    shown = capsys.readouterr().out
    for name in names.values():
        assert f"written: {tmp_path / name}" in shown
    ET.parse(tmp_path / "a.svg")
    assert "<html" in (tmp_path / "a.html").read_text()
    assert read_program(tmp_path / "p.json").kind == "1f1b"
    assert json.loads((tmp_path / "a.json").read_text())["traceEvents"]
    assert (tmp_path / "a.csv").read_text().startswith("0F0")
    assert "0SEND_F0" in (tmp_path / "b.csv").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["1f1p", *SIZES], "kind is '1f1p'; expected one of"),
        (["1f1b", "--ranks", "0", "--microbatches", "8"], "ranks is 0; expected at least 1."),
        (["1f1b", *SIZES, "--forward", "-1"], "forward is -1.0; expected at least 0."),
        (["1f1b", *SIZES, "--forward", "inf"], "forward is inf; expected a finite number"),
        (["1f1b", *SIZES, "--chunks", "2"], "chunks is 2; expected 1, which is what 1f1b has"),
        (["dualpipe", "--ranks", "3", "--microbatches", "8"], "ranks is 3; expected an even number"),
        (["dualpipe", "--ranks", "4", "--microbatches", "6"], "microbatches is 6"),
        (["1f1b", *SIZES, "--costs", "none.toml"], "none.toml does not exist; expected a TOML file of costs."),
        (["1f1b", *SIZES, "--costs", "x.toml", "--forward", "1"], "--forward and --costs both give costs"),
        (["1f1b", *SIZES, "--memory-cap", "2"], "memory_cap is 2.0; expected at least 4"),
        (["1f1b", *SIZES, "--vocabulary", "three"], "'three'"),
        (["1f1b", "--ranks", "4"], "needs --microbatches"),
        (["zb-v", *SIZES, "--slices", "2", "--csv", "a.csv"], "slices"),
    ],
)
def test_mistakes_end_in_one_sentence(words, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["schedule", "show", *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_an_unwritable_file_is_a_failure(tmp_path, capsys):
    assert main(["schedule", "show", "1f1b", *SIZES, "--svg", str(tmp_path / "no" / "a.svg")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_it_is_quick_from_cold_and_without_torch():
    words = ["-m", "stretto", "schedule", "show", "1f1b", "--ranks", "8", "--microbatches", "24"]
    timed = [sys.executable, "-X", "importtime", *words]
    assert " torch" not in subprocess.run(timed, capture_output=True, text=True, check=True).stderr

    def once():
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.6
