"""Print the test folders of the rooms that differ from the last commit, for `make check`.

Where nothing differs, the last commit's own changes count. All tests are printed where something differs that every
room depends on, or where many rooms differ. The rules on the whole source always run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EVERYWHERE = {"pyproject.toml", "constraints.txt", "Makefile", "tests/conftest.py", "src/stretto/__init__.py"}
MANY_ROOMS = 6


def main() -> int:
    """Print the folders, separated by spaces."""
    changed = changed_files("HEAD") or changed_files("HEAD~1")
    folders = {folder for name in changed for folder in tests_of(name)}
    if EVERYWHERE & set(changed) or len(folders) > MANY_ROOMS:
        print("tests")
    else:
        print(" ".join(sorted(folders | {"tests/rules"})))
    return 0


def changed_files(since: str) -> list[str]:
    """Files that differ from a commit, new and removed ones included; none where there is no such commit."""
    if subprocess.run(
        ["git", "rev-parse", "-q", "--verify", since], cwd=ROOT, capture_output=True, check=False
    ).returncode:
        return []
    commands = (["git", "diff", "--name-only", since], ["git", "ls-files", "--others", "--exclude-standard"])
    said = (subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for command in commands)
    return [name for done in said for name in done.stdout.splitlines()]


def tests_of(name: str) -> list[str]:
    """The test folder of the room that a file belongs to; none for a page."""
    parts = Path(name).parts
    room = parts[2:3] if parts[:2] == ("src", "stretto") else parts[1:2] if parts[:1] == ("tests",) else ()
    folder = Path("tests", *room)
    return [str(folder)] if room and (ROOT / folder).is_dir() else []


if __name__ == "__main__":
    sys.exit(main())
