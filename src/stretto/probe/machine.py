"""What this machine has: cores, memory, instructions, accelerators, ways to talk between ranks.

Limits of a container (its CPU set, its CPU and memory quota) count as the machine's own. What cannot be found out is
None or empty, never a guess.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed

from stretto.parallel.cores import usable_cores

# The instructions that decide how fast matrix products are, by their names in /proc/cpuinfo.
_TELLING = (
    "avx2",
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "sve",
    "bf16",
    "i8mm",
)
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One GPU."""

    name: str
    memory_bytes: int
    capability: str


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, as this process may use it.

    Attributes:
        system: operating system and architecture.
        cpu: the processor's name, empty where it is not told.
        cores: logical cores that this process may use.
        memory_bytes: memory that this process may use.
        available_bytes: how much of it is free now.
        features: instructions that speed up matrix products.
        accelerators: the GPUs that torch can use.
        backends: the collective libraries in this torch, such as gloo.
        python: its version.
        torch: its version.
    """

    system: str
    cpu: str
    cores: int
    memory_bytes: int | None
    available_bytes: int | None
    features: tuple[str, ...]
    accelerators: tuple[Accelerator, ...]
    backends: tuple[str, ...]
    python: str
    torch: str


def describe_machine() -> Machine:
    """Look at this machine; takes milliseconds."""
    info = _cpu_info(Path("/proc/cpuinfo"))
    flags = info.get("flags", info.get("Features", "")).split()
    memory = _memory(Path("/proc/meminfo"))
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        cpu=info.get("model name", platform.processor()),
        cores=usable_cores(_CGROUP),
        memory_bytes=_least(memory.get("MemTotal"), _number(_CGROUP / "memory.max")),
        available_bytes=_least(memory.get("MemAvailable"), _free_in_quota()),
        features=tuple(name for name in _TELLING if name in flags),
        accelerators=accelerators(),
        backends=backends(),
        python=platform.python_version(),
        torch=torch.__version__,
    )


def accelerators() -> tuple[Accelerator, ...]:
    """The GPUs that torch can use."""
    if not torch.cuda.is_available():
        return ()
    found = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
    return tuple(Accelerator(p.name, p.total_memory, f"{p.major}.{p.minor}") for p in found)


def backends() -> tuple[str, ...]:
    """The collective libraries that this torch was built with."""
    if not torch.distributed.is_available():
        return ()
    offered = {"gloo": torch.distributed.is_gloo_available, "nccl": torch.distributed.is_nccl_available}
    return tuple(name for name, available in offered.items() if available())


def _cpu_info(path: Path) -> dict[str, str]:
    """What the first core says of itself."""
    pairs = (line.split(":", 1) for line in _text(path).split("\n\n")[0].splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _memory(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in pairs if words[-1:] == ["kB"]}


def _free_in_quota() -> int | None:
    limit, used = _number(_CGROUP / "memory.max"), _number(_CGROUP / "memory.current")
    return None if limit is None or used is None else max(0, limit - used)


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)
