"""Stretto: train, post-train and serve language models over many devices.

The public names load their rooms when they are first used, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stretto.engine.engine import Engine as Engine
    from stretto.parallel.launch import launch as launch
    from stretto.schedule.generate import generate as schedule
    from stretto.spec.run.config import RunConfig as RunConfig
    from stretto.spec.run.config import read_run as read_run
    from stretto.train.run import train as train
    from stretto.train.task import Task as Task

__version__ = "0.1.0"
__all__ = ["Engine", "RunConfig", "Task", "__version__", "launch", "read_run", "schedule", "train"]

_ROOMS = ("schedule", "train")  # rooms that can be called
_HOMES = {
    "Engine": "stretto.engine.engine",
    "RunConfig": "stretto.spec.run.config",
    "Task": "stretto.train.task",
    "launch": "stretto.parallel.launch",
    "read_run": "stretto.spec.run.config",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"stretto.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'stretto' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
