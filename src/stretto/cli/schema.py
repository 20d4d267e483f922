"""`stretto schema`: the JSON Schema of the files that Stretto reads or writes, for editors and other programs."""

from __future__ import annotations

import argparse

from stretto.cli.show import json_text
from stretto.spec.costs import PassCosts
from stretto.spec.layout import Layout
from stretto.spec.manifest import Manifest
from stretto.spec.program_file import ProgramFile
from stretto.spec.request import Sampling
from stretto.spec.run.config import RunConfig
from stretto.spec.shape import ModelShape
from stretto.spec.trace import Trace
from stretto.spec.value import Value


def schemas() -> dict[str, type[Value]]:
    """Name -> the value whose schema is printed."""
    return {
        "run": RunConfig,
        "shape": ModelShape,
        "layout": Layout,
        "manifest": Manifest,
        "sampling": Sampling,
        "trace": Trace,
        "program": ProgramFile,
        "costs": PassCosts,
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One optional name."""
    parser.add_argument(
        "name",
        nargs="?",
        default="run",
        choices=tuple(schemas()),
        help="run: a run file (default); shape: a model; layout: parallel degrees; manifest: a checkpoint; "
        "sampling: how tokens are drawn; trace: what happened when; program: a schedule; costs: what its passes cost",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the schema; it is JSON with and without ``--json``."""
    print(json_text(schemas()[arguments.name].model_json_schema()))
    return 0
