"""The decoder: embedding, layers and a last norm, in plain single-device code.

Every module takes all it needs as arguments and meets the machine through a `Context`. Head counts are taken from
tensor shapes, so that the same code runs on a part of the heads. The output head's weight belongs to the model, using
it does not: a forward pass ends in hidden states [T, C].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch.nn.functional as F
import torch.utils.checkpoint
from jaxtyping import Float, Int
from torch import Tensor, nn

from stretto.models.context import AttentionSpec, Context
from stretto.ops.norm import rms_norm
from stretto.ops.rotary import rotate


class Linear(nn.Module):
    """A matrix [out, in] without bias, to be applied by `Context.project`."""

    bias: Tensor | None = None

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


class Embedding(nn.Module):
    """A table [V, C], to be read by `Context.embed`."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


class Norm(nn.Module):
    """A root-mean-square norm."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.eps = eps

    def forward(self, x: Float[Tensor, "T C"]) -> Float[Tensor, "T C"]:
        """Normalise every row."""
        return rms_norm(x, self.weight, self.eps)


class Attention(nn.Module):
    """Softmax attention with rotary positions and grouped key/value heads."""

    def __init__(self, index: int, head_width: int, matrices: dict[str, Tensor], rotary: Tensor) -> None:
        super().__init__()
        self.spec = AttentionSpec(layer=index, scale=head_width**-0.5)
        self.head_width = head_width
        self.query, self.key = Linear(matrices["query"]), Linear(matrices["key"])
        self.value, self.output = Linear(matrices["value"]), Linear(matrices["output"])
        self.register_buffer("rotary", rotary, persistent=False)
        self.rotary: Tensor

    def forward(self, x: Float[Tensor, "T C"], positions: Int[Tensor, " T"], context: Context) -> Float[Tensor, "T C"]:
        """Mix rows of the same document."""
        split = (x.shape[0], -1, self.head_width)
        query = rotate(context.project(self.query, x).view(split), positions, self.rotary)
        key = rotate(context.project(self.key, x).view(split), positions, self.rotary)
        value = context.project(self.value, x).view(split)
        mixed = context.attend(self.spec, query, key, value)
        return context.project(self.output, mixed.reshape(x.shape[0], -1))


class FeedForward(nn.Module):
    """A gated feed-forward (SwiGLU)."""

    def __init__(self, matrices: dict[str, Tensor]) -> None:
        super().__init__()
        self.gate, self.up, self.down = (Linear(matrices[name]) for name in ("gate", "up", "down"))

    def forward(self, x: Float[Tensor, "T C"], context: Context) -> Float[Tensor, "T C"]:
        """Change every row on its own."""
        inner = F.silu(context.project(self.gate, x)) * context.project(self.up, x)
        return context.project(self.down, inner)


class Layer(nn.Module):
    """``x + mixer(norm(x))``, then ``x + feed_forward(norm(x))``."""

    def __init__(self, mixer_norm: Norm, mixer: Attention, feed_forward_norm: Norm, feed_forward: FeedForward) -> None:
        super().__init__()
        self.mixer_norm, self.mixer = mixer_norm, mixer
        self.feed_forward_norm, self.feed_forward = feed_forward_norm, feed_forward

    def forward(self, x: Float[Tensor, "T C"], positions: Int[Tensor, " T"], context: Context) -> Float[Tensor, "T C"]:
        """One layer over a flat batch."""
        x = x + self.mixer(self.mixer_norm(x), positions, context)
        return x + self.feed_forward(self.feed_forward_norm(x), context)


LayerCall: TypeAlias = Callable[[Layer, Tensor, Tensor, Context], Tensor]


def call_layer(layer: Layer, x: Tensor, positions: Tensor, context: Context) -> Tensor:
    """Run a layer and keep what its backward pass needs."""
    return layer(x, positions, context)


class Decoder(nn.Module):
    """A model, or a contiguous part of one: whichever of embedding, layers, last norm and head it was built with."""

    def __init__(
        self, embed: Embedding | None, layers: dict[int, Layer], norm: Norm | None, head: Linear | None, embeds: bool
    ) -> None:
        super().__init__()
        self.embed, self.norm, self.head = embed, norm, head
        self.layers = nn.ModuleDict({str(index): layer for index, layer in layers.items()})
        self.embeds = embeds

    @property
    def head_weight(self) -> Tensor:
        """The output head [V, C]: its own, or the embedding's where they are tied."""
        table = self.head if self.head is not None else self.embed
        if table is None:
            raise ValueError("this part of the model holds no output head")
        return table.weight

    def forward(
        self, x: Tensor, positions: Int[Tensor, " T"], context: Context, call: LayerCall = call_layer
    ) -> Float[Tensor, "T C"]:
        """Run this part of the model.

        Args:
            x: token ids [T] where the part embeds, hidden states [T, C] elsewhere.
            positions: each row's position in its document.
            context: the machine.
            call: how a layer is run; activation checkpointing passes its own.

        Returns:
            Hidden states, normalised where the part holds the last norm.
        """
        if self.embeds and self.embed is not None:
            x = context.embed(self.embed.weight, x)
        for layer in self.layers.values():
            x = call(layer, x, positions, context)  # pyright: ignore[reportArgumentType]
        return x if self.norm is None else self.norm(x)


def checkpointed_layer(layer: Layer, x: Tensor, positions: Tensor, context: Context) -> Tensor:
    """Run a layer and keep only its input; the backward pass runs it again."""
    return torch.utils.checkpoint.checkpoint(layer, x, positions, context, use_reentrant=False)  # pyright: ignore[reportReturnType]
