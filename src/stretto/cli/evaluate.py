"""`stretto evaluate`: a checkpoint's loss and bits per byte on held-out text."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.cli import show

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.train.evaluation import Evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure on what."""
    parser.add_argument("checkpoint", type=Path, help="a checkpoint folder, or a run folder for its latest one")
    parser.add_argument("dataset", type=Path, help="a folder written by stretto data build, such as DATA/validation")
    parser.add_argument("--tokens", type=int, metavar="N", help="positions of a piece (default: the model's context)")
    parser.add_argument(
        "--overlap", type=int, metavar="N", help="positions a later piece sees of the one before (default: half)"
    )
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16", "float64"))
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))


def run(arguments: argparse.Namespace) -> int:
    """Measure and say."""
    found = measure(arguments.checkpoint, arguments.dataset, arguments)
    show.emit(arguments, asdict(found), lambda out: _say(out, found))
    return 0


def measure(checkpoint: Path, dataset: Path, arguments: argparse.Namespace) -> Evaluation:
    """Evaluate with a progress display."""
    from stretto.data.dataset import Dataset
    from stretto.train.evaluation import evaluate

    with show.progress("evaluate (tokens)", Dataset.open(dataset).predicted_tokens) as advance:
        return evaluate(
            checkpoint,
            dataset,
            tokens=arguments.tokens,
            overlap=arguments.overlap,
            precision=arguments.precision,
            device=arguments.device,
            progress=advance,
        )


def _say(out: Console, found: Evaluation) -> None:
    rows = [
        ("bits per byte", f"{found.bits_per_byte:.4f}"),
        ("loss (nats per token)", f"{found.loss:.4f}"),
        ("tokens predicted", f"{found.tokens:,}"),
        ("bytes of text", f"{found.text_bytes:,}"),
        ("documents", f"{found.documents:,}"),
    ]
    show.table(out, ("", ""), rows)
