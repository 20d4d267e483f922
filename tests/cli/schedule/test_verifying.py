"""`stretto schedule verify`: verdicts, exit codes, counterexamples, damaged files."""

import json
import xml.etree.ElementTree as ET

import pytest

from stretto.cli.main import main
from stretto.schedule.generate import generate
from stretto.schedule.lower import lower
from stretto.schedule.torch_csv import write_comms_csv, write_compute_csv
from stretto.spec.program_file import program_json


@pytest.fixture
def table():
    return json.loads(program_json(generate("1f1b", 4, 6)))


@pytest.fixture
def judged(tmp_path, capsys):
    def run(text, *words, suffix=".json"):
        path = tmp_path / f"program{suffix}"
        path.write_text(text)
        code = main(["schedule", "verify", str(path), *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_good_program(table, judged):
    code, out, _ = judged(json.dumps(table), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["good"] is True
    assert [found[name]["good"] for name in ("order", "buffered", "rendezvous")] == [True] * 3
    assert found["peak_activation"] == [4, 3, 2, 1]
    assert found["simulation"]["makespan"] == 27


def test_torch_files(judged):
    program = generate("zb-v", 2, 4)
    assert judged(write_compute_csv(program), suffix=".csv")[0] == 0
    text = write_comms_csv(lower(program))
    assert judged(text, suffix=".csv")[0] == 0
    first = text.index("0SEND")
    broken = text[:first] + text[text.index(",", first) + 1 :]
    code, out, _ = judged(broken, suffix=".csv")
    assert code == 1
    assert "wrong" in out


def test_a_ring_is_shown_and_drawn(table, judged, tmp_path):
    ranks = table["ranks"]
    ranks[0].remove("B0.0")
    ranks[0].insert(ranks[0].index("F0.5"), "B0.0")
    ranks[3].remove("F3.5")
    ranks[3].insert(ranks[3].index("B3.0"), "F3.5")
    picture = tmp_path / "why.svg"
    code, out, _ = judged(json.dumps(table), "--svg", str(picture))
    assert code == 1
    assert "order: rank 2 stands at B2.0 and waits for B3.0 of rank 3" in out
    assert "[F3.5]" in out
    words = "".join(ET.parse(picture).getroot().itertext())
    assert "waits for F2.5 of rank 2" in words


def test_a_cap_is_a_verdict(table, judged):
    code, out, _ = judged(json.dumps(table), "--memory-cap", "3", "--json")
    assert code == 1
    assert json.loads(out)["memory"]["why"] == "rank 0 stores 4 microbatches at once; the cap is 3."
    assert judged(json.dumps(table), "--memory-cap", "0")[0] == 2


def test_damaged_files_end_in_one_sentence(table, judged, tmp_path, capsys):
    for text, sentence in (
        ("{", "is damaged at line 1"),
        ("[]", "program"),
        (json.dumps(table | {"format": "stretto.run/1"}), "its format is"),
        (json.dumps(table | {"ranks": [["F0.0", "Q"]]}), "rank 0: record is 'Q'"),
        (json.dumps(table | {"stages": 0}), "stages is 0; expected at least 1"),
    ):
        code, _, err = judged(text)
        assert code == 2
        assert sentence in err
        assert err.count("\n") == 1
    assert judged("0F0,nonsense\n", suffix=".csv")[0] == 2
    assert main(["schedule", "verify", str(tmp_path / "none.json")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["schedule", "verify", str(tmp_path)]) == 2
