"""Programs: who computes which piece of the step, and when.

The room is also its main function: ``stretto.schedule("zb-v", ranks=8, microbatches=24)`` is
`schedule.generate.generate`, while ``stretto.schedule.verify`` and the others stay what imports make them.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stretto.spec.program import Program


class _Room(ModuleType):
    """A package that can be called."""

    def __call__(self, *args: Any, **options: Any) -> Program:
        """See `schedule.generate.generate`."""
        from stretto.schedule.generate import generate

        return generate(*args, **options)


sys.modules[__name__].__class__ = _Room
