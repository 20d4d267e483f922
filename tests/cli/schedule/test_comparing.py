"""`stretto schedule compare`: the same figures as show, side by side; what a kind cannot do is said, not left out."""

import json
import xml.etree.ElementTree as ET

from stretto.cli.main import main
from stretto.schedule.registry import KINDS

SIZES = ["--ranks", "4", "--microbatches", "8"]


def test_figures_are_those_of_show(capsys):
    assert main(["schedule", "compare", "1f1b", "zb-h1", *SIZES, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["schedules"]
    for figures in found:
        assert main(["schedule", "show", figures["kind"], *SIZES, "--json"]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert {name: alone[name] for name in figures} == figures


def test_a_table_from_best_to_worst_and_a_picture(capsys, tmp_path):
    picture = tmp_path / "all.svg"
    assert main(["schedule", "compare", "gpipe", "zb-v", "1f1b", *SIZES, "--svg", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("zb-v") < shown.index("1f1b")
    ET.parse(picture)


def test_all_kinds_at_once(capsys):
    assert main(["schedule", "compare", "all", *SIZES, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {s["kind"] for s in found["schedules"]} | set(found["refused"]) == set(KINDS)
    assert not found["refused"]


def test_refusals_are_told(capsys):
    assert main(["schedule", "compare", "1f1b", "dualpipe", "--ranks", "3", "--microbatches", "8"]) == 0
    assert "not there: dualpipe: ranks is 3" in capsys.readouterr().out
    assert main(["schedule", "compare", "dualpipe", "--ranks", "3", "--microbatches", "8"]) == 2
    assert main(["schedule", "compare", "gpipe", "nope", *SIZES]) == 2
    assert main(["schedule", "compare", "gpipe", *SIZES, "--chunks", "2"]) == 2
    assert "none of gpipe has such a choice" in capsys.readouterr().err


def test_own_choices_go_to_the_kinds_that_have_them(capsys):
    assert main(["schedule", "compare", "1f1b", "interleaved-1f1b", *SIZES, "--chunks", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["schedules"]
    assert [s["chunks"] for s in found] == [1, 3]
