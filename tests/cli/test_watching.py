"""The display of a run: plain lines where nobody watches, a bar on a terminal, nothing when quiet."""

import io
from pathlib import Path

import pytest

from stretto.cli.watching import Display
from stretto.spec.run.model import LlamaModel
from stretto.train.events import Ended, Saved, Started, Stepped, Validated


@pytest.fixture
def events():
    shape = LlamaModel(width=16, layers=1, heads=1, kv_heads=1, head_width=16, feed_forward=16).shape(32, 16)
    started = Started(Path("run"), shape, 1_500_000, 2, 1, "cpu", "float32", 0, 10, 60.0, 2e11, True, "model FLOPs")
    steps = [Stepped(i, i / 10, 3.0, 1.0, 1.0, 100 * i, float(i), 1000.0 * i, 0.25, 10.0 - i) for i in range(1, 11)]
    return [started, *steps[:5], Validated(5, {"loss": 2.5}), Saved(5, Path("run/five")), *steps[5:8], Ended()]


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def _shown(monkeypatch, stream, events, **options):
    monkeypatch.setattr("sys.stderr", stream)
    display = Display(**options)
    for event in events:
        display(event)
    return stream.getvalue()


def test_plain_lines(monkeypatch, events):
    lines = _shown(monkeypatch, io.StringIO(), events).splitlines()
    assert lines[0] == "1.50 M parameters, float32 on 2 x cpu (1 thread(s) each); 10 steps, 60 s at most"
    assert "measured matmul peak 200 GFLOP/s; shares of it count model FLOPs" in lines[1]
    assert " ".join(lines[2].split()) == "10% step 1 loss 3.000 1,000 tokens/s 25% of peak 0:09 left"
    assert lines[3:5] == ["step 5: validation loss 2.5000", "step 5: saved run/five"]
    assert lines[-1] == "step 5: saved run/five"
    assert all("\x1b" not in line for line in lines)


def test_rates_are_smoothed(monkeypatch, events):
    assert "10,000 tokens/s" not in _shown(monkeypatch, io.StringIO(), events)


def test_a_bar_on_a_terminal(monkeypatch, events):
    said = _shown(monkeypatch, _Terminal(), events)
    assert "━" in said
    assert "80%" in said
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1  # the cursor is back
    assert "step 5: validation loss 2.5000" in said


def test_quiet(monkeypatch, events):
    assert _shown(monkeypatch, io.StringIO(), events, quiet=True) == ""
