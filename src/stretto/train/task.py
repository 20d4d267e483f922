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

from stretto.data.rows import Rows
from stretto.ops.cross_entropy import linear_cross_entropy, token_losses
from stretto.spec.batch import PackedBatch
from stretto.spec.errors import UserError

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


def keep_row(batch: PackedBatch, row: int) -> PackedBatch:
    """The default `prepare`: the row as it is."""
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
        prepare: ``(row, number) -> row`` for every packed row before it is used: change tokens or labels (arrays keep
            their sizes). Key random numbers by `number`, the row's place in the data, and they depend on no layout.
        loss: ``(hidden [T, C], head [V, C], batch) -> scalar``: the differentiable sum over labelled positions.
        measure: ``(hidden, head, batch) -> {name: sum}`` in validation; each is divided by the labelled positions.
    """

    prepare: Prepare = keep_row
    loss: Loss = next_token_loss
    measure: Measure = next_token_measures


class PreparedRows:
    """Rows as a task wants them; a source for `data.loader.Loader`.

    Attributes:
        tokens: positions of a row.
    """

    def __init__(self, rows: Rows, prepare: Prepare) -> None:
        self.tokens = rows.tokens
        self._rows, self._prepare = rows, prepare

    @property
    def rows_per_epoch(self) -> int:
        """Rows until documents come again."""
        return self._rows.rows_per_epoch

    def row(self, number: int) -> PackedBatch:
        """Row `number` after the task's `prepare`.

        Raises:
            UserError: what it returned has other sizes.
        """
        made = self._prepare(self._rows.row(number), number)
        sizes = {len(made.tokens), len(made.positions), len(made.labels)}
        if sizes != {self.tokens}:
            raise UserError(
                f"the task's prepare made arrays of {sorted(sizes)} positions; expected {self.tokens} each."
            )
        return made
