"""Layout: how many ranks share which dimension of the work.

`layout.supported` says which layouts a shape and a program can run under, and why not.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from stretto.spec.value import Value

AXES = ("data", "shard", "sequence", "tensor", "pipeline", "expert")


class Layout(Value):
    """The degree of every parallel axis; their product is the number of ranks."""

    format: Literal["stretto.layout/1"] = "stretto.layout/1"
    data: int = Field(default=1, ge=1)
    """Replicates: ranks that hold all parameters and different documents."""
    shard: int = Field(default=1, ge=1)
    """Ranks over which parameters, gradients and optimizer state are cut (ZeRO, FSDP); training takes 1 only."""
    sequence: int = Field(default=1, ge=1)
    """Ranks that share the positions of one batch; training takes 1 only."""
    tensor: int = Field(default=1, ge=1)
    """Ranks that share each matrix; training takes 1 only."""
    pipeline: int = Field(default=1, ge=1)
    """Ranks that hold different stages of the model; training takes 1 only."""
    expert: int = Field(default=1, ge=1)
    """Ranks that hold different experts; training takes 1 only."""

    @property
    def ranks(self) -> int:
        """The number of ranks that the layout asks for."""
        return math.prod(getattr(self, axis) for axis in AXES)
