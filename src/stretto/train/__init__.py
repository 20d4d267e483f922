"""The training step and its loop.

The room is also its main function: ``stretto.train(config)`` is `train.run.train`, while ``stretto.train.step`` and
the others stay what imports make them.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A package that can be called."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """See `train.run.train`."""
        from stretto.train.run import train

        return train(*args, **options)


sys.modules[__name__].__class__ = _Room
