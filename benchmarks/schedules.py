"""How long making, verifying and simulating a schedule takes, and how much memory: medians of several runs.

Simulating includes both bubble rates, the causes of waiting and the peaks. `cold` is the whole command
``stretto schedule show`` in a process of its own, drawing included. Needs no peer: the figures are held against what a
person waits for, and against the time that torch's own tools take to make and lower the same orders (`--torch`).

Run: python benchmarks/schedules.py [--runs 5] [--torch] [--output benchmarks/results/schedules.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from stretto import __version__
from stretto.schedule.generate import generate
from stretto.schedule.verify import verify
from stretto.simulate.programs import simulate
from stretto.simulate.simulation import Simulation
from stretto.spec.costs import PassCosts

CASES = [
    ("1f1b", 8, 24),
    ("interleaved-1f1b", 8, 24),
    ("zb-v", 8, 24),
    ("v-half", 8, 24),
    ("dualpipe", 8, 24),
    ("interleaved-1f1b", 64, 512),
    ("zb-v", 64, 512),
    ("dualpipe", 64, 512),
]
TORCH = {"interleaved-1f1b": ("Interleaved1F1B", 2), "zb-v": ("ZBVZeroBubble", 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each case")
    parser.add_argument("--torch", action="store_true", help="time torch's generator and lowering beside ours")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "schedules.json")
    arguments = parser.parse_args()
    cases = [case(*sizes, arguments.runs, arguments.torch) for sizes in CASES]
    for found in cases:
        print(json.dumps(found))
    cold_s = statistics.median(seconds(show) for _ in range(arguments.runs))
    print(f"stretto schedule show 1f1b --ranks 8 --microbatches 24, from cold: {cold_s:.3f} s")
    result = {"benchmark": "schedules", "machine": machine(), "cold_s": cold_s, "cases": cases}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"wrote {arguments.output}")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def case(kind: str, ranks: int, microbatches: int, runs: int, with_torch: bool) -> dict[str, object]:
    program = generate(kind, ranks, microbatches)
    found: dict[str, object] = {"kind": kind, "ranks": ranks, "microbatches": microbatches}
    found["records"] = records = sum(map(len, program.ranks))
    parts = {
        "generate_s": lambda: generate(kind, ranks, microbatches),
        "verify_s": lambda: verify(program),
        "simulate_s": lambda: figures(simulate(program, PassCosts())),
    }
    for name, work in parts.items():
        found[name] = statistics.median(seconds(work) for _ in range(runs))
    found["total_s"] = sum(found[name] for name in parts)
    tracemalloc.start()
    figures(simulate(program, PassCosts()))
    verify(program)
    found["peak_bytes_per_record"] = round(tracemalloc.get_traced_memory()[1] / records)
    tracemalloc.stop()
    if with_torch and kind in TORCH and ranks <= 8:
        found["torch_generate_and_lower_s"] = statistics.median(
            seconds(lambda: torch_ops(kind, ranks, microbatches)) for _ in range(runs)
        )
    return found


def figures(simulation: Simulation) -> None:
    _ = simulation.bubble_rate_makespan, simulation.bubble_rate_span, simulation.causes, simulation.peaks


def torch_ops(kind: str, ranks: int, microbatches: int) -> object:
    from torch.distributed.pipelining._schedule_visualizer import get_schedule_ops

    name, chunks = TORCH[kind]
    return get_schedule_ops(name, ranks, microbatches, chunks, with_comms=True)


def show() -> None:
    words = ["schedule", "show", "1f1b", "--ranks", "8", "--microbatches", "24"]
    subprocess.run([sys.executable, "-m", "stretto", *words], check=True, capture_output=True)


def machine() -> dict[str, object]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "stretto": __version__,
    }


if __name__ == "__main__":
    main()
