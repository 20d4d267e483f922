"""ModelShape: what a model is made of, without a tensor in sight.

A shape is its width, its vocabulary and its layers; a layer is a mixer (how positions see each other), a
feed-forward (what happens at each position) and norms. Mixers and feed-forwards are tagged unions: a new kind is a
new class here and its line in the union. `spec.parameters` turns a shape into its table of parameters.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stretto.spec.value import Value


class Rotary(Value):
    """Rotary position embedding (Su et al. 2021, eq. 34), halves rotated against each other."""

    base: float = Field(default=10_000.0, gt=1)
    """Wavelengths grow from 2 pi to 2 pi * base."""


class SoftmaxMixer(Value):
    """Causal softmax attention with grouped key/value heads (Ainslie et al. 2023)."""

    kind: Literal["softmax"] = "softmax"
    heads: int = Field(ge=1)
    """Query heads, H."""
    kv_heads: int = Field(ge=1)
    """Key/value heads, K; divides `heads`."""
    head_width: int = Field(ge=2, multiple_of=2)
    """Width of one head, D."""
    rotary: Rotary = Rotary()

    @model_validator(mode="after")
    def _groups(self) -> SoftmaxMixer:
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads is {self.kv_heads}; expected a divisor of heads, {self.heads}.")
        return self


class DenseFeedForward(Value):
    """A gated feed-forward: ``down(silu(gate(x)) * up(x))`` (SwiGLU, Shazeer 2020)."""

    kind: Literal["dense"] = "dense"
    width: int = Field(ge=1)


class RMSNorm(Value):
    """Root-mean-square norm (Zhang and Sennrich 2019) with a learned scale."""

    kind: Literal["rms"] = "rms"
    eps: float = Field(default=1e-5, gt=0)


class LayerShape(Value):
    """One layer: ``x + mixer(norm(x))``, then ``x + feed_forward(norm(x))``."""

    mixer: SoftmaxMixer
    feed_forward: DenseFeedForward
    norm: RMSNorm = RMSNorm()


class ModelShape(Value):
    """A decoder: embedding, layers, a last norm and an output head."""

    format: Literal["stretto.shape/1"] = "stretto.shape/1"
    family: str = "llama"
    """Which of `models.registry.FAMILIES` it is."""
    width: int = Field(ge=1)
    """Width of the residual stream, C."""
    vocabulary: int = Field(ge=1)
    """Rows of the embedding and of the head, V."""
    layers: tuple[LayerShape, ...] = Field(min_length=1)
    norm: RMSNorm = RMSNorm()
    tied: bool = False
    """Whether the head is the embedding's weight."""
    context: int = Field(ge=1)
    """Positions that a document may have."""
