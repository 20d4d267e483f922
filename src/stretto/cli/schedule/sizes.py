"""The flags that say which schedule is meant, and at what costs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stretto.schedule.generate import BARRIERS
from stretto.spec.costs import PassCosts, read_costs
from stretto.spec.errors import UserError
from stretto.spec.value import load

_TIMES = {"forward": "F", "input_grad": "I", "weight_grad": "W", "transfer": "a message between two ranks"}


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Ranks and microbatches."""
    parser.add_argument("--ranks", metavar="N", type=int, required=True, help="ranks of the pipeline")
    parser.add_argument("--microbatches", metavar="N", type=int, required=True, help="microbatches of a step")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What a kind of schedule can be asked for."""
    parser.add_argument("--chunks", metavar="N", type=int, help="stages a rank, where the kind leaves a choice")
    parser.add_argument("--slices", metavar="N", type=int, help="parts that every sequence is cut into")
    parser.add_argument(
        "--vocabulary", choices=tuple(BARRIERS), help="share out the vocabulary, with this many barriers a microbatch"
    )
    parser.add_argument("--group", metavar="N", type=int, help="interleaved kinds: microbatches a chunk takes in turn")
    parser.add_argument("--ratio", metavar="X", type=float, help="skip: share of stages that a microbatch leaves out")
    parser.add_argument("--exact", action="store_true", help="zb-auto: solve the integer program (small sizes)")


def add_costs(parser: argparse.ArgumentParser) -> None:
    """Times of passes, and the memory cap."""
    for field, what in _TIMES.items():
        flag = "--" + field.replace("_", "-")
        default = 0 if field == "transfer" else 1
        whose = "" if field == "transfer" else ", for a rank's whole share"
        parser.add_argument(flag, metavar="X", type=float, help=f"time of {what}{whose} (default {default})")
    parser.add_argument("--costs", metavar="FILE", type=Path, help="a TOML file with all costs, stage by stage")
    parser.add_argument(
        "--memory-cap", metavar="X", type=float, help="the most a rank may store, in microbatches on one rank"
    )


def costs_of(arguments: argparse.Namespace) -> PassCosts:
    """The costs that a command line gives.

    Raises:
        UserError: a cost is no cost, or there are flags and a file.
    """
    given = {field: getattr(arguments, field) for field in _TIMES if getattr(arguments, field) is not None}
    if arguments.costs is None:
        return load(PassCosts, given, "")
    if given:
        flag = "--" + next(iter(given)).replace("_", "-")
        raise UserError(f"{flag} and --costs both give costs; expected one of them.")
    return read_costs(arguments.costs)


def choices_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a command line asks a kind for; only what is there."""
    names = ("chunks", "slices", "vocabulary", "group", "ratio", "memory_cap")
    asked = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    return asked | ({"exact": True} if arguments.exact else {})
