"""Context: the seam between a model and the machine.

A model calls these six methods and knows nothing else of where it runs. Tensor parallelism, sequence parallelism, a
key/value cache, adapters or quantised weights are implementations of them, composed once a run; `LocalContext` is the
plain one: whole documents, on one device. What an implementation stores is keyed by the layer that the spec names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from stretto.ops.attention import packed_attention
from stretto.ops.embedding import embedding
from stretto.ops.experts import mixed_experts
from stretto.ops.linear_scan import linear_scan


@runtime_checkable
class Weighted(Protocol):
    """A projection: `weight` is [out, in]; there may be a bias [out]."""

    @property
    def weight(self) -> Tensor:
        """The matrix."""
        ...

    @property
    def bias(self) -> Tensor | None:
        """What is added, if anything."""
        ...


@dataclass(frozen=True, slots=True)
class AttentionSpec:
    """Causal softmax attention of one layer; `scale` multiplies the scores."""

    layer: int
    scale: float


@dataclass(frozen=True, slots=True)
class ScanSpec:
    """Gated linear attention of one layer."""

    layer: int


@dataclass(frozen=True, slots=True)
class ExpertsSpec:
    """The experts of one layer: stacked matrices [E, F, C], [E, F, C] and [E, C, F], and how many a row uses."""

    layer: int
    gate: Tensor
    up: Tensor
    down: Tensor
    chosen: int


@runtime_checkable
class Context(Protocol):
    """What a model asks of the machine. T rows are this rank's rows of a flat batch."""

    def embed(self, table: nn.Parameter, tokens: Int[Tensor, " T"]) -> Float[Tensor, "T C"]:
        """Rows of the embedding table [V, C]."""
        ...

    def project(self, linear: Weighted, x: Float[Tensor, "T I"]) -> Float[Tensor, "T O"]:
        """``x @ weight.T + bias``."""
        ...

    def attend(
        self,
        spec: AttentionSpec,
        query: Float[Tensor, "T H D"],
        key: Float[Tensor, "T K D"],
        value: Float[Tensor, "T K D"],
    ) -> Float[Tensor, "T H D"]:
        """Causal attention inside each document."""
        ...

    def scan(
        self,
        spec: ScanSpec,
        query: Float[Tensor, "T H D"],
        key: Float[Tensor, "T H D"],
        value: Float[Tensor, "T H E"],
        decay: Float[Tensor, "T H"],
    ) -> Float[Tensor, "T H E"]:
        """A linear recurrence inside each document."""
        ...

    def experts(self, spec: ExpertsSpec, x: Float[Tensor, "T C"], scores: Float[Tensor, "T E"]) -> Float[Tensor, "T C"]:
        """Each row through its best experts."""
        ...

    def carry(self, name: str, value: Tensor) -> Tensor | None:
        """Keep `value` for the sequence's next slice, and return what its last slice kept under `name`, if any."""
        ...


class LocalContext:
    """Whole documents on one device: nothing is cut, so nothing is carried."""

    def __init__(self, offsets: Sequence[int]) -> None:
        self.offsets = tuple(offsets)

    def embed(self, table: nn.Parameter, tokens: Int[Tensor, " T"]) -> Float[Tensor, "T C"]:
        """See `Context.embed`."""
        return embedding(table, tokens)

    def project(self, linear: Weighted, x: Float[Tensor, "T I"]) -> Float[Tensor, "T O"]:
        """See `Context.project`."""
        return F.linear(x, linear.weight, linear.bias)

    def attend(
        self,
        spec: AttentionSpec,
        query: Float[Tensor, "T H D"],
        key: Float[Tensor, "T K D"],
        value: Float[Tensor, "T K D"],
    ) -> Float[Tensor, "T H D"]:
        """See `Context.attend`."""
        return packed_attention(query, key, value, self.offsets, spec.scale)

    def scan(
        self,
        spec: ScanSpec,
        query: Float[Tensor, "T H D"],
        key: Float[Tensor, "T H D"],
        value: Float[Tensor, "T H E"],
        decay: Float[Tensor, "T H"],
    ) -> Float[Tensor, "T H E"]:
        """See `Context.scan`."""
        return linear_scan(query, key, value, decay, self.offsets)

    def experts(self, spec: ExpertsSpec, x: Float[Tensor, "T C"], scores: Float[Tensor, "T E"]) -> Float[Tensor, "T C"]:
        """See `Context.experts`."""
        return mixed_experts(x, scores, spec.gate, spec.up, spec.down, spec.chosen)

    def carry(self, name: str, value: Tensor) -> Tensor | None:
        """See `Context.carry`: a whole document has no earlier slice."""
        return None
