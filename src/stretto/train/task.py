"""A task: up to three functions that make a new kind of training out of the one loop (Redco, Tan et al. 2023).

Leave a function out and next-token prediction's takes its place. The contract of scale: a step's loss is the sum of
`loss` over all its rows on all ranks, divided by the number of labelled positions (after `prepare`) of all its rows on
all ranks; gradients are the gradient of exactly that, whatever the number of ranks and microbatches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from stretto.ops.cross_entropy import linear_cross_entropy, token_losses
from stretto.spec.batch import PackedBatch

Prepare: TypeAlias = Callable[[PackedBatch, int], PackedBatch]
Loss: TypeAlias = Callable[[Tensor, Tensor, "DeviceBatch"], Tensor]
Measure: TypeAlias = Callable[[Tensor, Tensor, "DeviceBatch"], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """A packed batch where the model runs: int32 tensors [T], and document borders on the host."""

    tokens: Tensor
    positions: Tensor
    labels: Tensor
    offsets: tuple[int, ...]


def keep_batch(batch: PackedBatch, row: int) -> PackedBatch:
    """The default `prepare`: the batch as it is."""
    return batch


def next_token_loss(hidden: Tensor, head: Tensor, batch: DeviceBatch) -> Tensor:
    """The default `loss`: cross-entropy of every labelled position, summed."""
    return linear_cross_entropy(hidden, head, batch.labels)


def next_token_measures(hidden: Tensor, head: Tensor, batch: DeviceBatch) -> Mapping[str, float]:
    """The default `measure`: the summed cross-entropy of every labelled position."""
    return {"loss": float(token_losses(hidden, head, batch.labels).sum(dtype=torch.float64))}


@dataclass(frozen=True, slots=True)
class Task:
    """What is trained for.

    Attributes:
        prepare: ``(batch, row) -> batch`` before a microbatch is used: change tokens or labels (arrays keep their
            sizes); `row` is the index of the microbatch's first row, to key random numbers by.
        loss: ``(hidden [T, C], head [V, C], batch) -> scalar``: the differentiable sum over labelled positions.
        measure: ``(hidden, head, batch) -> {name: sum}`` in validation; each is divided by the labelled positions.
    """

    prepare: Prepare = keep_batch
    loss: Loss = next_token_loss
    measure: Measure = next_token_measures
