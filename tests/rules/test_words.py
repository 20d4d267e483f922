"""The text stands on its own: nothing unfinished, nobody's folders, no number of a tracker that a reader cannot see."""

import re
import subprocess
from pathlib import Path

from tests.rules.source import ROOT

WRITTEN = {".py", ".md", ".toml", ".txt", ".jinja", ""}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bfor now\b")
TRACKER = re.compile(r"\bissues? #?\d+|\bPR #?\d+|(?<![\w&#])#\d{1,5}\b(?![\w-])", re.IGNORECASE)
SOMEBODYS_FOLDER = re.compile(r"(?<![\w./~-])/(home|root|work|workspace|mnt|Users)/\w")


def pages():
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        path = ROOT / name
        if path.suffix in WRITTEN and path.is_file() and path != Path(__file__) and path.name != "LICENSE":
            yield path, path.read_text(encoding="utf-8")


def lines_with(pattern):
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path, text in pages()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_unfinished():
    assert not lines_with(UNFINISHED)


def test_no_numbers_of_a_tracker():
    cited = "docs/scoreboard.md:"  # its sources are others' public threads, by their names
    assert not [line for line in lines_with(TRACKER) if not line.startswith(cited)]


def test_nobodys_folders():
    assert not lines_with(SOMEBODYS_FOLDER)
