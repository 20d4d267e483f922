"""Tokens a second of the loader alone: packing, reading and joining, on one thread, for several row lengths.

``tokens_per_cpu_s`` is the same per second of processor time, which other work on the machine does not change much.
Two corpora: the Python standard library's source (long documents), and many short documents as in chat data (lengths
log-normal around 100 tokens). Needs no peer: the figure is held against what training consumes.

Run: python benchmarks/loader.py [--seconds 3] [--output benchmarks/results/loader.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from stretto import __version__
from stretto.data.build import build
from stretto.data.dataset import Dataset
from stretto.data.inspection import packing
from stretto.data.library import library_files
from stretto.data.loader import Loader
from stretto.data.rows import Rows
from stretto.data.writing import DatasetWriter
from stretto.spec.run.data import Data, Source
from stretto.text.tokenizer import Tokenizer

SEED = 0
ROWS_PER_STEP, MICROBATCH_ROWS = 16, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="measured time of each case")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "loader.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library, build_s = write_library(Path(folder) / "library")
        short = write_short(Path(folder) / "short", library)
        cases = [
            case(name, data, tokens, arguments.seconds)
            for name, data in (("standard library", library), ("short documents", short))
            for tokens in (512, 1024, 2048)
        ]
    for found in cases:
        print(json.dumps(found))
    result = {"benchmark": "loader", "seed": SEED, "machine": machine(), "library_build_s": build_s, "cases": cases}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"wrote {arguments.output}")


def write_library(folder: Path) -> tuple[Path, float]:
    start = time.perf_counter()
    build(library_files(), folder, vocabulary=4096)
    return folder / "train", time.perf_counter() - start


def write_short(folder: Path, tokenizer: Path) -> Path:
    draws = np.random.default_rng(SEED)
    lengths = np.maximum(draws.lognormal(np.log(100), 0.8, 50_000).astype(int), 2)
    writer = DatasetWriter(folder, Tokenizer.load(tokenizer), 2**27)
    for i, length in enumerate(lengths):
        writer.add(str(i), draws.integers(5, 4096, length).tolist(), None, int(length))
    writer.finish({})
    return folder


def case(name: str, folder: Path, tokens: int, seconds: float) -> dict[str, object]:
    rows = Rows(Data(sources=(Source(path=folder),), tokens=tokens, seed=SEED))
    done, step, start, start_cpu = 0, 0, time.perf_counter(), time.process_time()
    with Loader(rows, rows_per_step=ROWS_PER_STEP, microbatch_rows=MICROBATCH_ROWS, rank=0, ranks=1) as loader:
        while time.perf_counter() - start < seconds:
            done += sum(batch.document_tokens for batch in loader.step(step))
            step += 1
    elapsed_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    packed = packing(rows.sources[0])
    return {
        "corpus": name,
        "row_tokens": tokens,
        "tokens_per_s": round(done / elapsed_s),
        "tokens_per_cpu_s": round(done / cpu_s),
        "documents": len(Dataset.open(folder)),
        "packing_efficiency": packed.efficiency,
        "needed_cuts": packed.needed_cuts,
        "further_cuts": packed.further_cuts,
    }


def machine() -> dict[str, object]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "stretto": __version__,
    }


if __name__ == "__main__":
    main()
