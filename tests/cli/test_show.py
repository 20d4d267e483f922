import argparse
import io
import json
import os
import pty
from dataclasses import dataclass
from pathlib import Path

import pytest

from stretto.cli.show import console, emit, json_text, progress, table
from stretto.spec.layout import Layout


@dataclass(frozen=True)
class Pair:
    left: int
    right: float


def test_json_of_what_commands_have():
    data = {"path": Path("a/b"), "pair": Pair(1, float("inf")), "layout": Layout(), "some": (1, None, "x", True)}
    found = json.loads(json_text(data))
    assert found["path"] == "a/b"
    assert found["pair"] == {"left": 1, "right": None}
    assert found["layout"]["data"] == 1
    assert found["some"] == [1, None, "x", True]


def test_emit_is_json_or_text_never_both(capsys):
    emit(argparse.Namespace(json=True), {"a": 1}, lambda out: out.print("text"))
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    emit(argparse.Namespace(json=False), {"a": 1}, lambda out: out.print("text"))
    assert capsys.readouterr().out == "text\n"


def test_a_plain_table_has_aligned_columns_and_loses_nothing():
    stream = io.StringIO()
    long = "[bold]" + "x" * 300
    table(console(stream), ("name", "number"), [("a", 1), (long, 1234)], title="counts", numbers=("number",))
    title, head, first, second = stream.getvalue().splitlines()
    assert title == "counts"
    assert second == f"{long}    1234"
    assert head.endswith("number")
    assert len(head) == len(first) == len(second)


def test_a_table_without_headings_has_no_heading_line():
    stream = io.StringIO()
    table(console(stream), ("", ""), [("step", 5), ("tokens", 7)])
    assert stream.getvalue() == "step    5\ntokens  7\n"


def test_plain_output_has_no_control_characters():
    stream = io.StringIO()
    out = console(stream)
    out.print("[bold red]warning[/] 12 0.5")
    assert stream.getvalue() == "warning 12 0.5\n"


def test_a_terminal_gets_a_drawn_table_with_the_brackets_of_its_cells():
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        table(console(stream), ("name", "number"), [("[a]", 1)], numbers=("number",))
    drawn = os.read(master, 10_000).decode()
    os.close(master)
    assert "─" in drawn
    assert "[a]" in drawn


def test_progress_without_a_terminal_is_lines_on_standard_error(capsys):
    with progress("reading", 3) as advance:
        for _ in range(3):
            advance(1, note="x.py")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "reading: 3 of 3 (x.py)\n"


def test_progress_ends_when_the_work_fails(capsys):
    def work():
        with progress("reading") as advance:
            advance()
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    assert capsys.readouterr().err == ""
