"""The Python standard library's own source: real text with a long tail that every machine with Python has."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Final

from stretto.spec.errors import StrettoError

_LEFT_OUT: Final = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}


def library_files() -> list[Path]:
    """Every module of the standard library, tests left out, sorted by path (some 700 files, 12 MB).

    Raises:
        StrettoError: this Python comes without its source.
    """
    root = Path(sysconfig.get_path("stdlib"))
    found = sorted(p for p in root.rglob("*.py") if not _LEFT_OUT.intersection(p.relative_to(root).parts))
    if not found:
        raise StrettoError(f"{root} holds no Python source; this Python comes without its library's source.")
    return found
