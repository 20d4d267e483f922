"""`stretto train`: read a run file, train, say what came of it.

Local ranks are started here; under torchrun the process takes its place among the launched ones instead, and only
rank 0 says anything.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.cli import show
from stretto.cli.arguments import add_run_arguments, run_config
from stretto.spec.errors import StrettoError

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.train.loop import Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run file, a flag for each of its fields, and how to start."""
    parser.add_argument(
        "--resume",
        metavar="latest|PATH",
        help="go on from the run's latest checkpoint, or from the one at PATH",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="record the spans of three steps into trace.json, and perfetto.json for ui.perfetto.dev",
    )
    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train; exit code 0 when the run is complete."""
    config = run_config(arguments)
    from stretto.cli.watching import Display
    from stretto.spec.environment import launched_ranks
    from stretto.train.run import train

    place = launched_ranks()
    display = Display(quiet=arguments.json)
    outcome = train(config, resume=arguments.resume, profile=arguments.profile, watch=display)
    if place is not None and place.rank != 0:
        return 0
    curve = draw_curve(outcome.folder)
    if arguments.profile:
        _write_perfetto(outcome.folder)
    show.emit(arguments, summary(outcome, curve), lambda out: _say(out, outcome, curve))
    return 0


def draw_curve(folder: Path) -> Path | None:
    """Draw a run's loss curve into its folder; None if that cannot be done (no loss was written down, a full disk)."""
    from stretto.report.loss_curve import write_loss_curve
    from stretto.train.run_folder import METRICS_FILE

    path = folder / "loss.png"
    try:
        write_loss_curve(folder / METRICS_FILE, path)
    except StrettoError:  # a run is good without its picture
        return None
    return path


def _write_perfetto(folder: Path) -> None:
    from stretto.report.perfetto import write_perfetto
    from stretto.spec.trace import Trace
    from stretto.spec.value import load_json
    from stretto.train.run_folder import TRACE_FILE

    write_perfetto(load_json(Trace, folder / TRACE_FILE, "a trace"), folder / "perfetto.json")


def summary(outcome: Outcome, curve: Path | None) -> dict[str, Any]:
    """A run's outcome for machines."""
    return {
        "folder": outcome.folder,
        "checkpoint": outcome.checkpoint,
        "step": outcome.step,
        "tokens": outcome.tokens,
        "elapsed_s": outcome.elapsed_s,
        "loss": outcome.loss,
        "validation": outcome.measures,
        "curve": curve,
    }


def _say(out: Console, outcome: Outcome, curve: Path | None) -> None:
    if outcome.loss is None:
        out.print("the run was complete already: raise --train.steps to go on")
    loss = "" if outcome.loss is None else f", loss {outcome.loss:.3f}"
    held_out = "".join(f", validation {name} {value:.3f}" for name, value in outcome.measures.items())
    out.print(f"{outcome.step} steps, {outcome.tokens:,} tokens in {outcome.elapsed_s:.0f} s{loss}{held_out}")
    out.print(f"checkpoint: {outcome.checkpoint}")
    if curve is not None:
        out.print(f"loss curve: {curve}")
    out.print(f"next: stretto generate {outcome.checkpoint} --prompt '...'")
