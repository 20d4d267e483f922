"""On the disk: `sync` is fsync(2) of a file or of a folder, whose entries need their own.

Whatever is to appear whole (a data set, a checkpoint) is synced before it gets its name. Cost: the disk's time alone.
"""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Return when `path`, a file or a folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
