"""`stretto schedule ACTION`: list, show, search, verify and compare pipeline schedules; hold them against figures.

Torch-free. Every action is a module of this package with ``add_arguments`` and ``run``, imported when it is chosen.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Final

ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "list": ("listing", "the kinds of schedules there are"),
    "show": ("show", "make, verify, simulate and draw one schedule"),
    "search": ("searching", "find the best schedule under a memory cap"),
    "verify": ("verifying", "judge a program file, or a schedule file of torch.distributed.pipelining"),
    "compare": ("comparing", "several schedules beside each other"),
    "scoreboard": ("scoring", "published figures against ours"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    actions = parser.add_subparsers(dest="action", required=True)
    for name, (module, summary) in ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        importlib.import_module(f"stretto.cli.schedule.{module}").add_arguments(action)


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    module, _ = ACTIONS[arguments.action]
    return importlib.import_module(f"stretto.cli.schedule.{module}").run(arguments)
