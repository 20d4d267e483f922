"""Collectives under one name, whichever name this version of torch has for them (2.11 and up)."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def all_gather(out: Tensor, mine: Tensor, group: dist.ProcessGroup | None = None) -> None:
    """Fill `out`, [P * n, ...], with every rank's `mine`, [n, ...], in rank order."""
    gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    gather(out, mine, group=group)
