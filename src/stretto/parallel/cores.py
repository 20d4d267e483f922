"""How many cores this process may keep busy: its CPU set, cut to a container's quota."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Logical cores that this process may keep busy, at least one; `cgroup` is where its container's limits are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota = (cgroup / "cpu.max").read_text().split()
    except OSError:
        return cores
    if len(quota) == 2 and quota[0].isdigit():
        cores = min(cores, max(1, int(quota[0]) // int(quota[1])))
    return cores
