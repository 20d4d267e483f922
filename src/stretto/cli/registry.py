"""Every command: its name -> the module that holds it, and what it is for.

A command's module defines ``add_arguments(parser)`` and ``run(arguments) -> exit code``; it is imported only when
its command was chosen, so that no command pays for another's libraries. A new command is one file and one line here.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Command(NamedTuple):
    """Where a command lives, and its line in the help."""

    module: str
    summary: str


COMMANDS: Final[dict[str, Command]] = {
    "quickstart": Command("stretto.cli.quickstart", "train a small model on Python's own library, then use it"),
    "train": Command("stretto.cli.train", "train a model as a run file says"),
    "evaluate": Command("stretto.cli.evaluate", "measure a checkpoint's loss and bits per byte on held-out text"),
    "generate": Command("stretto.cli.generate", "continue prompts with a checkpoint"),
    "chat": Command("stretto.cli.chat", "talk to a checkpoint"),
    "data": Command("stretto.cli.data", "turn documents into training data, and look into it"),
    "checkpoint": Command("stretto.cli.checkpoint", "look into a checkpoint, and check it for damage"),
    "models": Command("stretto.cli.models", "list model families; count a model's parameters, FLOPs and bytes"),
    "schedule": Command("stretto.cli.schedule", "make, verify, simulate, search, draw and compare pipeline schedules"),
    "schema": Command("stretto.cli.schema", "print the JSON Schema of a file that Stretto reads or writes"),
    "doctor": Command("stretto.cli.doctor", "say what this machine offers, what Stretto will use, and why"),
}
