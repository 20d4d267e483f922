"""Run the code blocks of the documentation, so that it stays true.

A block runs if its info string ends in ``run``: ```` ```bash run ```` or ```` ```python run ````. The blocks of a page
run in order in one folder that is empty but for the examples, with this environment's commands first on the path. A
page is README.md or one of docs/*.md; arguments name other pages. The first block that fails is shown with what it
printed, and ends the run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(?P<language>bash|python) run[ ]*\n(?P<code>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
COMMANDS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
LONGEST_S = 240


@dataclass(frozen=True)
class Block:
    """A block of a page that runs; `line` is where its code starts."""

    page: Path
    line: int
    language: str
    code: str


def main(names: list[str]) -> int:
    """Run the blocks of the named pages, or of all; 1 if one fails."""
    pages = [Path(name).resolve() for name in names] or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    start, count = time.monotonic(), 0
    for page in pages:
        with tempfile.TemporaryDirectory(prefix="stretto-docs-") as folder:
            for block in blocks(page):
                count += 1
                if not passes(block, Path(folder)):
                    return 1
    print(f"{count} blocks of {len(pages)} pages ran in {time.monotonic() - start:.0f} s")
    return 0


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that run, in order."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        yield Block(page, line, match["language"], match["code"])


def passes(block: Block, folder: Path) -> bool:
    """Run a block in `folder`, say how long it took, and show what it printed if it fails."""
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(ROOT / "examples")
    where = f"{block.page.relative_to(ROOT) if block.page.is_relative_to(ROOT) else block.page}:{block.line}"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    start = time.monotonic()
    try:
        done = subprocess.run(
            [*COMMANDS[block.language], block.code],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        print(f"{where}: still running after {LONGEST_S} s\n{block.code}")
        return False
    good = done.returncode == 0
    result = "good" if good else f"exit code {done.returncode}"
    print(f"{where}: {result} ({time.monotonic() - start:.1f} s)", flush=True)
    if not good:
        print(f"{block.code}\nprinted:\n{done.stdout}")
    return good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
