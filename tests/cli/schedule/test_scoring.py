"""`stretto schedule scoreboard`: rows of a file, any file, scored or with a reason; mistakes in one sentence."""

import csv
import json
from pathlib import Path

import pytest

from stretto.cli.main import main

PUBLISHED = Path(__file__).parents[3] / "benchmarks" / "data" / "pipeline_tables.csv"


@pytest.fixture
def few(tmp_path):
    """The handcrafted rows of one table, and one row that nobody can predict."""
    with PUBLISHED.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = [r for r in reader if r["table"] in ("T5+T9", "T4") and r["p"] == "8" and r["m"] == "24"]
        names = reader.fieldnames
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows([r for r in rows if r["schedule"] in ("1F1B", "ZB-H1", "ZB-H2", "1F1B-I")])
    return path


def test_rows_of_any_file(few, capsys, tmp_path):
    page = tmp_path / "board.md"
    assert main(["schedule", "scoreboard", "--rows", str(few), "--markdown", str(page), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["scores"]
    scored = [s for s in found if s["status"] == "scored"]
    assert {s["schedule"] for s in scored} == {"1F1B", "ZB-H1", "ZB-H2"}
    assert all(s["met"] and abs(s["difference"]) < 5e-5 for s in scored)
    assert any(s["status"] == "excluded" for s in found)
    assert any(s["status"] == "not predicted" for s in found)
    assert "ZB-H2" in page.read_text()


def test_for_people(few, capsys):
    assert main(["schedule", "scoreboard", "--rows", str(few)]) == 0
    shown = capsys.readouterr().out
    assert "3 rows scored, 3 within their bar, 0 not." in shown
    assert "not predicted:" in shown


def test_mistakes(few, capsys, tmp_path):
    assert main(["schedule", "scoreboard", "--rows", str(tmp_path / "none.csv")]) == 2
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert main(["schedule", "scoreboard", "--rows", str(tmp_path / "bad.csv")]) == 2
    assert main(["schedule", "scoreboard", "--rows", str(few), "--seconds", "0"]) == 2
    said = capsys.readouterr().err
    assert "none.csv does not exist" in said
    assert "--seconds is 0.0; expected more than 0." in said
    assert "Traceback" not in said
