"""[model]: the model to train. `train` obeys it; its vocabulary comes from the data's tokenizer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stretto.spec.shape import DenseFeedForward, LayerShape, ModelShape, RMSNorm, Rotary, SoftmaxMixer
from stretto.spec.value import Value


class LlamaModel(Value):
    """A Llama-shape decoder: rotary positions, grouped-query attention, SwiGLU, RMS norms."""

    kind: Literal["llama"] = "llama"
    width: int = Field(default=256, ge=1, le=2**20)
    """Width of the residual stream."""
    layers: int = Field(default=6, ge=1, le=10_000)
    """Number of layers."""
    heads: int = Field(default=4, ge=1, le=2**16)
    """Query heads."""
    kv_heads: int = Field(default=4, ge=1, le=2**16)
    """Key/value heads; divides heads."""
    head_width: int = Field(default=64, ge=2, le=2**16, multiple_of=2)
    """Width of one head."""
    feed_forward: int = Field(default=704, ge=1, le=2**24)
    """Inner width of the feed-forward."""
    tied: bool = False
    """Whether the output head is the embedding's weight."""
    rotary_base: float = Field(default=10_000.0, gt=1)
    """Base of the rotary wavelengths."""
    norm_eps: float = Field(default=1e-5, gt=0)
    """Added to the mean square in every norm."""

    @model_validator(mode="after")
    def _groups(self) -> LlamaModel:
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads is {self.kv_heads}; expected a divisor of heads, {self.heads}.")
        return self

    def shape(self, vocabulary: int, context: int) -> ModelShape:
        """The shape that this table describes, for a tokenizer of `vocabulary` ids and `context` positions."""
        norm = RMSNorm(eps=self.norm_eps)
        mixer = SoftmaxMixer(
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_width=self.head_width,
            rotary=Rotary(base=self.rotary_base),
        )
        layer = LayerShape(mixer=mixer, feed_forward=DenseFeedForward(width=self.feed_forward), norm=norm)
        return ModelShape(
            width=self.width,
            vocabulary=vocabulary,
            layers=(layer,) * self.layers,
            norm=norm,
            tied=self.tied,
            context=context,
        )
