"""Counterexamples as pictures: the ranks of the finding, their last steps, the one that never happens, the arrows."""

import io
import xml.etree.ElementTree as ET

from rich.console import Console

from stretto.report.counterexample import draw_finding, print_finding, write_finding
from stretto.schedule.generate import generate
from stretto.schedule.verify import verify
from stretto.spec.lowered import Lowered
from stretto.spec.program_file import program_from_json, program_json

SVG = "{http://www.w3.org/2000/svg}"


def _ring():
    text = program_json(generate("1f1b", 2, 3))
    return verify(
        program_from_json(
            text.replace('"F0.1", "B0.0", "F0.2"', '"B0.0", "F0.1", "F0.2"').replace(
                '"F1.0", "B1.0", "F1.1"', '"F1.0", "F1.1", "B1.0"'
            )
        )
    )


def test_a_ring_in_words():
    found = _ring()
    out = io.StringIO()
    print_finding(found, found.order, Console(file=out, width=200))
    assert out.getvalue().splitlines() == [
        "  rank 0  F0.0  [B0.0]  waits for B1.0 of rank 1",
        "  rank 1  F1.0  [F1.1]  waits for F0.1 of rank 0",
    ]


def test_a_ring_as_a_picture(tmp_path):
    found = _ring()
    root = ET.fromstring(draw_finding(found, found.order))
    assert len(root.findall(f"{SVG}rect")) == 4
    assert len(root.findall(f"{SVG}path")) == 2
    write_finding(found, found.order, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == draw_finding(found, found.order)


def test_steps_of_a_lowered_program():
    lowered = verify(generate("1f1b", 2, 3)).lowered
    found = verify(Lowered(program=lowered.program, ranks=(lowered.ranks[0], lowered.ranks[1][1:])))
    for finding in found.findings.values():
        ET.fromstring(draw_finding(found, finding))
