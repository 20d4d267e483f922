"""What must start without torch, and quickly."""

import subprocess
import sys
import time

import pytest

from stretto.cli.registry import COMMANDS
from tests.rules.source import PACKAGE

REPORT = "sys.exit(1 if 'torch' in sys.modules else 0)"


def without_torch(program):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}; {REPORT}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr or "torch was imported"
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_starts_without_torch(name):
    said = without_torch(f"from stretto.cli.main import main; assert main([{name!r}, '--help']) == 0")
    assert said.startswith(f"usage: stretto {name}")


@pytest.mark.parametrize("words", [["models"], ["schema"], ["models", "--vocabulary", "9"], ["schedule", "list"]])
def test_commands_that_only_count_run_without_torch(words):
    assert without_torch(f"from stretto.cli.main import main; assert main({words!r}) == 0")


def test_every_room_opens_without_torch():
    rooms = sorted(path.parent.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("__init__.py"))
    assert len(rooms) > 10
    without_torch("import " + ", ".join(".".join(room.parts) for room in rooms))


def test_help_is_quick():
    def once():
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "stretto", "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.4
