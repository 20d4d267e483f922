"""Floating-point operations of a model on packed documents, exact under one named convention.

A multiply-add is two operations. A token costs 2 per element of every matrix of the layers, and of the head where it
has a label (the embedding look-up is free); causal attention costs 4 * D per head and attended pair (scores, then
values; Dao et al. 2022), and a document of L tokens has L (L + 1) / 2 pairs. A backward pass costs twice its forward
pass. Norms, rotations, softmax and the optimizer are left out, as is whatever a kernel computes again for itself.
Rows that belong to no document count nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from stretto.count.parameters import is_layer_matrix
from stretto.spec.batch import PackedBatch
from stretto.spec.parameters import parameters
from stretto.spec.shape import ModelShape

CONVENTION: Final = "model FLOPs: matrices and causal attention, no recomputation"


@dataclass(frozen=True, slots=True)
class Rates:
    """What one forward pass of a shape costs.

    Attributes:
        layers_per_token: operations of a token in the layers' matrices.
        again_per_token: the part of them that activation checkpointing repeats: all matrices but the last of each
            layer, whose output no backward pass needs.
        head_per_token: operations of a token in the output head.
        per_pair: operations of a query and a key that it may see, over all layers and heads.
    """

    layers_per_token: int
    again_per_token: int
    head_per_token: int
    per_pair: int


@dataclass(frozen=True, slots=True)
class ForwardFlops:
    """Operations of one forward pass, by what they are spent on."""

    layers: int
    head: int
    attention: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.layers + self.head + self.attention


@dataclass(frozen=True, slots=True)
class TrainingFlops:
    """Operations of one training pass.

    Attributes:
        forward: of the forward pass.
        backward: of the backward pass.
        recomputed: of what activation checkpointing runs again, which is no model's work.
    """

    forward: int
    backward: int
    recomputed: int

    @property
    def model(self) -> int:
        """The operations that the convention counts."""
        return self.forward + self.backward

    @property
    def executed(self) -> int:
        """The operations that the machine carries out."""
        return self.model + self.recomputed


def rates(shape: ModelShape) -> Rates:
    """The operations of a forward pass per token and per attended pair."""
    mixers = (layer.mixer for layer in shape.layers)
    matrices = [p for p in parameters(shape) if is_layer_matrix(p)]
    last = {p.place: 2 * p.size for p in matrices}
    all_of_them = sum(2 * p.size for p in matrices)
    return Rates(
        layers_per_token=all_of_them,
        again_per_token=all_of_them - sum(last.values()),
        head_per_token=2 * shape.width * shape.vocabulary,
        per_pair=sum(4 * mixer.heads * mixer.head_width for mixer in mixers),
    )


def causal_pairs(lengths: Iterable[int]) -> int:
    """Attended pairs of documents of these lengths: each token sees itself and what came before it."""
    return sum(length * (length + 1) // 2 for length in lengths)


def document_lengths(batch: PackedBatch) -> list[int]:
    """The tokens of every document of a batch."""
    return [int(stop) - int(start) for start, stop in pairwise(batch.offsets)]


def forward_flops(shape: ModelShape | Rates, lengths: Iterable[int], head_tokens: int | None = None) -> ForwardFlops:
    """Operations of a forward pass over documents.

    Args:
        shape: the model, or its `rates` where many batches are counted.
        lengths: the tokens of every document.
        head_tokens: how many tokens meet the head; by default all.
    """
    cost = shape if isinstance(shape, Rates) else rates(shape)
    sizes = list(lengths)
    tokens = sum(sizes)
    return ForwardFlops(
        layers=cost.layers_per_token * tokens,
        head=cost.head_per_token * (tokens if head_tokens is None else head_tokens),
        attention=cost.per_pair * causal_pairs(sizes),
    )


def training_flops(
    shape: ModelShape | Rates,
    lengths: Iterable[int],
    head_tokens: int | None = None,
    activation_checkpointing: bool = False,
) -> TrainingFlops:
    """Operations of a forward and a backward pass over documents.

    Args:
        shape: the model, or its `rates` where many batches are counted.
        lengths: the tokens of every document.
        head_tokens: how many tokens meet the head; by default all.
        activation_checkpointing: whether the backward pass runs every layer's forward pass again.
    """
    cost, sizes = shape if isinstance(shape, Rates) else rates(shape), list(lengths)
    tokens = sum(sizes)
    head = tokens if head_tokens is None else head_tokens
    return counted_flops(cost, tokens, causal_pairs(sizes), head, activation_checkpointing)


def counted_flops(
    cost: Rates, tokens: int, pairs: int, head_tokens: int, activation_checkpointing: bool = False
) -> TrainingFlops:
    """Operations of a forward and a backward pass that are known by their counts.

    Args:
        cost: the model's rates.
        tokens: positions of documents.
        pairs: pairs of a position and one that it sees (`causal_pairs`).
        head_tokens: positions that meet the head.
        activation_checkpointing: whether the backward pass runs every layer's forward pass again.
    """
    attention = cost.per_pair * pairs
    forward = cost.layers_per_token * tokens + cost.head_per_token * head_tokens + attention
    again = cost.again_per_token * tokens + attention if activation_checkpointing else 0
    return TrainingFlops(forward=forward, backward=2 * forward, recomputed=again)


def batch_flops(shape: ModelShape | Rates, batch: PackedBatch, activation_checkpointing: bool = False) -> TrainingFlops:
    """Operations of a forward and a backward pass over one batch; only labelled tokens meet the head."""
    return training_flops(shape, document_lengths(batch), batch.labelled_tokens, activation_checkpointing)


def decode_flops(shape: ModelShape | Rates, context_tokens: int) -> int:
    """Operations of generating one token that sees `context_tokens` positions, itself included."""
    cost = shape if isinstance(shape, Rates) else rates(shape)
    return cost.layers_per_token + cost.head_per_token + cost.per_pair * context_tokens
