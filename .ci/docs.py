"""Run the code blocks of the documentation and check its links, so that it stays true.

A block runs if its info string ends in ``run``: ```` ```bash run ```` or ```` ```python run ````. The blocks of a page
run in order in one folder that is empty but for the examples, with this environment's commands first on the path. A
block ```` ```text printed ```` after it says what it prints: each of its lines must be printed, in this order, whatever
comes between; spaces count as one, and a line ``...`` stands for anything. A page is README.md or a Markdown file
anywhere under docs; arguments name other pages. Links to files and to headings must lead somewhere. The first block or
link that fails is shown, a block with what it printed, and ends the run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(
    r"^```(?P<language>bash|python|text) (?P<use>run|printed)[ ]*\n(?P<code>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL
)
ANY_FENCE = re.compile(r"^```.*?^```[ ]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|mailto:)(?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
COMMANDS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
LONGEST_S = 240


@dataclass(frozen=True)
class Block:
    """A block of a page that runs; `line` is where its code starts, `printed` what it must print."""

    page: Path
    line: int
    language: str
    code: str
    printed: tuple[str, ...] = ()


def main(names: list[str]) -> int:
    """Run the blocks of the named pages, or of all; 1 if one fails or a link leads nowhere."""
    pages = [Path(name).resolve() for name in names] or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    start, count = time.monotonic(), 0
    for page in pages:
        for link in broken_links(page):
            print(f"{named(page)}: the link {link} leads nowhere")
            return 1
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
    last: Block | None = None
    for match in FENCE.finditer(text):
        if match["use"] == "printed":
            if last is None:
                raise SystemExit(f"{named(page)}: a block says what is printed, but none before it runs")
            lines = (" ".join(line.split()) for line in match["code"].splitlines())
            last = replace(last, printed=last.printed + tuple(line for line in lines if line not in ("", "...")))
            continue
        if last is not None:
            yield last
        line = text.count("\n", 0, match.start("code")) + 1
        last = Block(page, line, match["language"], match["code"])
    if last is not None:
        yield last


def broken_links(page: Path) -> Iterator[str]:
    """The links of a page to files or headings that are not there."""
    for match in LINK.finditer(ANY_FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = page.parent / match["file"] if match["file"] else page
        if not target.exists() or (match["heading"] and match["heading"] not in headings(target)):
            yield match.group()[2:-1]


def headings(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in found}


def named(page: Path) -> str:
    """A page's name for people."""
    return str(page.relative_to(ROOT) if page.is_relative_to(ROOT) else page)


def missing(printed: str, expected: tuple[str, ...]) -> str | None:
    """The first of the expected lines that was not printed after those before it."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    return next((line for line in expected if line not in lines), None)


def passes(block: Block, folder: Path) -> bool:
    """Run a block in `folder`, say how long it took, and show what it printed if it fails."""
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(ROOT / "examples")
    where = f"{named(block.page)}:{block.line}"
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
    lacks = missing(done.stdout, block.printed)
    good = done.returncode == 0 and lacks is None
    result = f"exit code {done.returncode}" if done.returncode else "good" if good else f"did not print: {lacks}"
    print(f"{where}: {result} ({time.monotonic() - start:.1f} s)", flush=True)
    if not good:
        print(f"{block.code}\nprinted:\n{done.stdout}")
    return good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
