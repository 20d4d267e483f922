"""What `stretto generate` and `stretto chat` share: flags for the engine and for sampling, and text on a screen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.cli.arguments import flags
from stretto.spec.errors import bad_value
from stretto.spec.request import Sampling
from stretto.spec.value import from_text, load

if TYPE_CHECKING:
    from stretto.engine.engine import Engine

_UNSEEN = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


MOST_THREADS = 1024  # far more make torch's thread pool crash


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """The checkpoint, and how to run it."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="a checkpoint's folder, or a run's")
    group = parser.add_argument_group("engine")
    group.add_argument("--precision", default="float32", help="float32, bfloat16 or float64 (default float32)")
    group.add_argument("--device", default="auto", help="auto (the GPU where there is one), cpu or cuda (default auto)")
    group.add_argument("--threads", metavar="N", type=int, help="CPU threads (default: torch's choice)")


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """A flag for every field of `Sampling`."""
    group = parser.add_argument_group("sampling")
    for flag in flags(Sampling):
        repeated = flag.name == "stop"
        group.add_argument(
            "--" + flag.name.replace("_", "-"),
            dest=flag.name,
            metavar="TEXT" if repeated else flag.metavar,
            help=flag.help.replace("%", "%%") + (" (may be repeated)" if repeated else ""),
            action="append" if repeated else "store",
            default=argparse.SUPPRESS,
        )


def sampling_of(arguments: argparse.Namespace) -> Sampling:
    """What the sampling flags say.

    Raises:
        UserError: one has a wrong value.
    """
    given = {name: value for name, value in vars(arguments).items() if name in Sampling.model_fields}
    read = {n: from_text(Sampling, n, value) if isinstance(value, str) else value for n, value in given.items()}
    return load(Sampling, read, "")


def load_engine(arguments: argparse.Namespace, max_batch: int) -> Engine:
    """The engine that the flags ask for.

    Raises:
        UserError: the checkpoint is no good, or a flag has a wrong value.
    """
    if arguments.threads is not None and not 1 <= arguments.threads <= MOST_THREADS:
        raise bad_value("--threads", arguments.threads, f"an integer from 1 to {MOST_THREADS}")
    import torch

    from stretto.engine.engine import Engine

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    return Engine.load(
        arguments.checkpoint, device=arguments.device, precision=arguments.precision, max_batch=max_batch
    )


def say(text: str) -> None:
    """Write text to standard output at once.

    A model may write anything: on a terminal, control characters that could change what the terminal does are
    replaced, and so is what the output's encoding cannot say.
    """
    out = sys.stdout
    shown = text.translate(_UNSEEN) if out.isatty() else text
    out.write(shown.encode(out.encoding or "utf-8", "replace").decode(out.encoding or "utf-8"))
    out.flush()
