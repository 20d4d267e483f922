"""Text of a model on a terminal cannot steer the terminal, and elsewhere it is left as it is."""

import io

import pytest

from stretto.cli.generating import say


class _Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("kind", "encoding", "expected"),
    [
        (_Terminal, "utf-8", "a\ufffd[31m\n\té\ufffd"),
        (io.TextIOWrapper, "utf-8", "a\x1b[31m\n\té\x9b"),
        (_Terminal, "ascii", "a?[31m\n\t??"),
    ],
)
def test_control_characters(monkeypatch, kind, encoding, expected):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", kind(raw, encoding=encoding, newline=""))
    say("a\x1b[31m\n\té\x9b")
    assert raw.getvalue().decode(encoding) == expected
