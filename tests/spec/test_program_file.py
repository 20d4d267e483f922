"""Programs as JSON: read back equal, equal programs share a digest, damaged ones are refused in a sentence."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generate import generate
from stretto.spec.errors import UserError
from stretto.spec.program_file import program_digest, program_from_json, program_json, read_program


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["1f1b", "zb-v", "dualpipe", "sliced-1f1b", "pipedream", "forward-only"]),
    half=st.integers(1, 3),
    extra=st.integers(0, 2),
    vocabulary=st.sampled_from([None, "one"]),
)
def test_a_program_is_read_back_equal(kind, half, extra, vocabulary):
    if kind in ("pipedream", "forward-only"):
        vocabulary = None
    program = generate(kind, 2 * half, 4 * half + 2 * extra, vocabulary=vocabulary)
    again = program_from_json(program_json(program))
    assert again == program
    assert program_digest(again) == program_digest(program)


def test_the_digest_follows_the_records_and_not_the_name():
    one, two = generate("1f1b", 2, 4), generate("gpipe", 2, 4)
    table = json.loads(program_json(one)) | {"kind": "mine"}
    assert program_digest(program_from_json(json.dumps(table))) == program_digest(one)
    assert program_digest(one) != program_digest(two)


def _table(**changes):
    return json.loads(program_json(generate("1f1b", 2, 2))) | changes


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (_table(format="stretto.program/9"), "its format is 'stretto.program/9'"),
        (_table(stages=3), r"placement\[0\] is \[0, 1\]; expected a rank for each of 3 stages"),
        (_table(placement=[[0, 2]]), r"expected ranks from 0 to 1"),
        (_table(microbatches=1), r"rank 0 is 'F0.1'; expected a microbatch from 0 to 0"),
        (_table(ranks=[["F0.0"], ["nonsense"]]), "rank 1: record is 'nonsense'"),
        (_table(ranks=[["F0.0"], ["F1.0@1"]]), "expected a copy from 0 to 0"),
        (_table(ranks=[["F0.0/1"], []]), "expected a slice from 0 to 0"),
        (_table(paths=[[0, 1]]), "paths is '1 paths'; expected one for each of 2 microbatches"),
        (_table(paths=[[0, 1], [0, 0]]), r"paths\[1\] is \[0, 0\]; expected different stages"),
        (_table(barriers=3), "barriers is 3"),
        (_table(surprise=1), "surprise is not a known field"),
        ({"format": "stretto.program/1"}, "is missing"),
    ],
)
def test_what_does_not_fit_is_refused(table, sentence, tmp_path):
    path = tmp_path / "program.json"
    path.write_text(json.dumps(table))
    with pytest.raises(UserError, match=sentence):
        read_program(path)


def test_no_file_and_no_json(tmp_path):
    with pytest.raises(UserError, match="does not exist; expected a program"):
        read_program(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text(program_json(generate("1f1b", 2, 2))[:80])
    with pytest.raises(UserError, match="damaged at line"):
        read_program(tmp_path / "cut.json")
