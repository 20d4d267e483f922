"""`stretto doctor`: what this machine offers, what Stretto will use of it, and why.

Every line is a fact, then what follows from it. The fastest arithmetic is measured, not looked up, in a few seconds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stretto.cli.show import emit, table
from stretto.spec.errors import bad_value

if TYPE_CHECKING:
    from stretto.probe.machine import Machine

# Extra -> the module that shows whether it is installed, and what it is for.
EXTRAS: Final[dict[str, tuple[str, str]]] = {
    "parquet": ("pyarrow", "stretto data build reads Parquet"),
    "exact": ("scipy", "stretto schedule show zb-auto --exact solves the integer program"),
    "tensorboard": ("tensorboard", "metrics.tensorboard writes events"),
    "bench": ("transformers", "comparisons with Hugging Face transformers"),
}
_WORTHWHILE = 1.2
_LONGEST_S = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about the machine and what follows from it; `good` is False where something should be mended."""

    what: str
    found: str
    therefore: str
    good: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long to measure, and where runs would write."""
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="S", help="time for measurements; 0 for none (default 3)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(), metavar="PATH", help="where runs would write (default: here)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Look, measure, advise; 1 when something keeps Stretto from running."""
    if not 0 <= arguments.seconds <= _LONGEST_S:
        raise bad_value("--seconds", arguments.seconds, f"a number from 0 to {_LONGEST_S}")
    if not arguments.folder.is_dir():
        raise bad_value("--folder", str(arguments.folder), "a folder that exists")
    from stretto.probe.machine import describe_machine

    machine = describe_machine()
    peaks = measured_peaks(machine, arguments.seconds)
    findings = [*hardware(machine), *arithmetic(machine, peaks), *software(machine), disk(arguments.folder)]
    data = {"machine": machine, "peak_flops": peaks, "findings": findings, "good": all(f.good for f in findings)}
    rows = [(f.what, f.found, f.therefore) for f in findings]
    emit(arguments, data, lambda out: table(out, ("what", "found", "what follows"), rows))
    return 0 if data["good"] else 1


def measured_peaks(machine: Machine, seconds: float) -> dict[str, float]:
    """Dtype -> the best matrix products in FLOP/s, on the GPU where there is one; empty when no time is given.

    On the CPU one thread is measured beside all of them: where others keep a core busy, threads that wait for each
    other are slower than one alone, and the faster of the two is what the machine can do.
    """
    if not seconds:
        return {}
    from stretto.models.precisions import PRECISIONS
    from stretto.probe.matmul import measure_peak

    device = "cuda" if machine.accelerators else "cpu"
    threads = (machine.cores,) if machine.accelerators else (1, machine.cores)
    share_s = seconds / (len(PRECISIONS) * len(threads))
    return {
        name: max(measure_peak(dtype, count, share_s, device) for count in threads)
        for name, dtype in PRECISIONS.items()
    }


def hardware(machine: Machine) -> list[Finding]:
    """Cores, memory, instructions, GPUs."""
    gpus = machine.accelerators
    cores = "all of them; " + ("one rank for each GPU" if gpus else "local ranks share them evenly")
    found_gpus = "; ".join(f"{g.name}, {size(g.memory_bytes)}, compute capability {g.capability}" for g in gpus)
    therefore = "train.device auto takes cuda" if gpus else "train.device auto takes cpu"
    free = f"{size(machine.available_bytes)} free of {size(machine.memory_bytes)}"
    return [
        Finding("processor", f"{machine.cpu or 'unnamed'} ({machine.system})", "runs everything but GPU kernels"),
        Finding("cores", str(machine.cores), cores),
        Finding("memory", free, "`stretto models RUN.toml` counts what a run's weights and states take"),
        Finding("instructions", " ".join(machine.features) or "none known", "torch picks its kernels by them"),
        Finding("GPUs", found_gpus or "none that torch can use", therefore),
    ]


def arithmetic(machine: Machine, peaks: Mapping[str, float]) -> list[Finding]:
    """What the measured rates say about precision."""
    if not peaks:
        return []
    where = "GPU" if machine.accelerators else f"{machine.cores} cores"
    rates = ", ".join(f"{name} {rate / 1e9:,.0f}" for name, rate in peaks.items())
    gain = peaks["bfloat16"] / peaks["float32"]
    advice = (
        f"train.precision bfloat16 is advisable: its products are {gain:.1f} times as fast"
        if gain >= _WORTHWHILE
        else f"train.precision float32 is advisable: bfloat16 products are only {gain:.1f} times as fast"
    )
    return [Finding("matrix products", f"{rates} GFLOP/s ({where})", advice)]


def software(machine: Machine) -> list[Finding]:
    """Versions, collectives, extras."""
    oldest = oldest_torch()
    new_enough = numbers(machine.torch) >= numbers(oldest)
    says = f"supported (at least {oldest})" if new_enough else f"too old: install torch {oldest} or newer"
    wanted = "nccl" if machine.accelerators else "gloo"
    talks = wanted in machine.backends
    ranks = f"ranks talk through {wanted}" if talks else f"one rank only: this torch has no {wanted}"
    return [
        Finding("Python", machine.python, "supported (at least 3.11)"),
        Finding("torch", machine.torch, says, new_enough),
        Finding("collectives", ", ".join(machine.backends) or "none", ranks, talks),
        *(extra(name, module, purpose) for name, (module, purpose) in EXTRAS.items()),
    ]


def extra(name: str, module: str, purpose: str) -> Finding:
    """Whether an optional extra is there, and what it enables."""
    there = importlib.util.find_spec(module) is not None
    return Finding(
        f"extra {name}",
        f"{module} is installed" if there else "missing",
        purpose if there else f"without it not: {purpose}; pip install 'stretto[{name}]' brings it",
    )


def disk(folder: Path) -> Finding:
    """Room for checkpoints."""
    usage = shutil.disk_usage(folder)
    return Finding("disk", f"{size(usage.free)} free in {folder.resolve()}", "room for checkpoints and data")


def oldest_torch() -> str:
    """The oldest torch that this package says it supports."""
    wanted = importlib.metadata.requires("stretto") or []
    return next(line.split(">=")[1] for line in wanted if line.startswith("torch>="))


def numbers(version: str) -> tuple[int, int]:
    """Major and minor number of a version such as ``2.13.0+cpu``."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def size(amount_bytes: int | None) -> str:
    """Bytes for people, in GiB."""
    return "unknown" if amount_bytes is None else f"{amount_bytes / 2**30:,.1f} GiB"
