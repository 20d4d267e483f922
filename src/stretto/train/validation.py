"""Measures on text that is not trained on, shared between the ranks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

from stretto.models.context import LocalContext
from stretto.parallel.world import World
from stretto.spec.batch import PackedBatch
from stretto.spec.errors import UserError
from stretto.train.stages import Stage, gather
from stretto.train.step import on_device
from stretto.train.task import Task


@torch.no_grad()
def validate(stages: Sequence[Stage], task: Task, batches: Sequence[PackedBatch], world: World) -> dict[str, float]:
    """The task's measures over all batches of all ranks, each divided by the labelled positions.

    Args:
        stages: the model.
        task: whose `measure` adds up each batch.
        batches: this rank's share, already prepared; every rank has at least one.
        world: the ranks.

    Raises:
        UserError: ranks gave measures of different names.
    """
    sums: dict[str, float] = defaultdict(float)
    for stage in stages:
        gather(stage)
    for packed in batches:
        batch = on_device(packed, world.device)
        x = batch.tokens
        for stage in stages:
            x = stage.part(x, batch.positions, LocalContext(batch.offsets))
        for name, value in task.measure(x, stages[-1].part.head_weight, batch).items():
            sums[name] += value
    names = sorted(sums)
    if world.broadcast(",".join(names)) != ",".join(names):
        raise UserError(f"the task's measure gave {names} on rank {world.rank}; expected the names of rank 0.")
    labelled = sum(b.labelled_tokens for b in batches)
    total = world.exchange([*(sums[name] for name in names), labelled]).sum(0).tolist()
    return {name: value / max(total[-1], 1.0) for name, value in zip(names, total[:-1], strict=True)}
