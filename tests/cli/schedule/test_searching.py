"""`stretto schedule search`: the best program found, within its cap, with its bound; files; mistakes."""

import json

import pytest

from stretto.cli.main import main
from stretto.schedule.verify import verify
from stretto.spec.program_file import read_program

SIZES = ["--ranks", "4", "--microbatches", "8", "--seconds", "0.5"]


def test_figures_and_the_program(capsys, tmp_path):
    file = tmp_path / "found.json"
    assert main(["schedule", "search", *SIZES, "--memory-cap", "4", "--program", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert max(found["peak_activation"]) <= 4
    assert found["value"] == pytest.approx(found["makespan"])
    assert found["search_lower_bound"] <= found["value"]
    assert found["value"] <= min(t["value"] for t in found["tried"]) + 1e-9
    assert verify(read_program(file), memory_cap=4).good


def test_for_people(capsys):
    assert main(["schedule", "search", *SIZES, "--measure", "span", "--chunks", "1"]) == 0
    shown = capsys.readouterr().out
    assert "to gain" in shown
    assert "1f1b" in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--memory-cap", "0.1"], "memory_cap is 0.1"),
        (["--memory-cap", "-1"], "--memory-cap is -1.0"),
        (["--seconds", "-1"], "--seconds is -1.0; expected more than 0."),
        (["--chunks", "0"], "chunks"),
        (["--measure", "best"], "'best'"),
        (["--ranks", "0"], "ranks is 0"),
    ],
)
def test_mistakes_end_in_one_sentence(words, sentence, capsys):
    assert main(["schedule", "search", *SIZES, *words]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("searching")]
    assert len(said) == 1
    assert sentence in said[0]
