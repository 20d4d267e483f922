"""`stretto schedule list`: every kind, what it is, where it is from, what it can be asked for."""

from __future__ import annotations

import argparse

from stretto.cli.show import emit, table
from stretto.schedule.registry import KINDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing beyond ``--json``."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """List the kinds."""
    kinds = {
        name: {"summary": kind.summary, "source": kind.source, "options": sorted(kind.options)}
        for name, kind in KINDS.items()
    }
    rows = [(name, kind.summary, kind.source) for name, kind in KINDS.items()]
    emit(arguments, {"kinds": kinds}, lambda out: table(out, ("kind", "what it is", "source"), rows))
    return 0
