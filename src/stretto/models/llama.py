"""The Llama family: how its Hugging Face configuration and tensor names correspond to ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from stretto.models.family import Family
from stretto.spec.parameters import parameters
from stretto.spec.run.model import LlamaModel
from stretto.spec.shape import DenseFeedForward, ModelShape, RMSNorm, Rotary
from stretto.spec.value import Value, load

_PARTS = {
    "mixer_norm": "input_layernorm",
    "mixer.query": "self_attn.q_proj",
    "mixer.key": "self_attn.k_proj",
    "mixer.value": "self_attn.v_proj",
    "mixer.output": "self_attn.o_proj",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
}


class _Rope(Value):
    """Rotary positions in a ``config.json``; whatever scales them is refused, since the model would be another."""

    rope_theta: float | None = Field(default=None, gt=1)
    rope_type: Literal["default"] = "default"
    type: Literal["default"] = "default"


class _Config(Value):
    """What a Llama's ``config.json`` says about its arithmetic; everything else in the file changes nothing here."""

    model_config = ConfigDict(extra="ignore")

    hidden_size: int = Field(ge=1)
    intermediate_size: int = Field(ge=1)
    num_hidden_layers: int = Field(ge=1)
    num_attention_heads: int = Field(ge=1)
    num_key_value_heads: int | None = Field(default=None, ge=1)
    head_dim: int | None = Field(default=None, ge=2)
    vocab_size: int = Field(ge=1)
    max_position_embeddings: int = Field(ge=1)
    rms_norm_eps: float = Field(default=1e-6, gt=0)
    tie_word_embeddings: bool = False
    rope_theta: float | None = Field(default=None, gt=1)
    rope_parameters: _Rope | None = None
    rope_scaling: _Rope | None = None
    hidden_act: Literal["silu"] = "silu"
    attention_bias: Literal[False] = False
    mlp_bias: Literal[False] = False

    @property
    def rotary_base(self) -> float:
        """Newer files have it in a table of its own."""
        inner = self.rope_parameters.rope_theta if self.rope_parameters else None
        return inner or self.rope_theta or 10_000.0


def shape_from_hugging_face(config: Mapping[str, Any]) -> ModelShape:
    """The shape that a Llama ``config.json`` describes.

    Raises:
        UserError: a size is missing or wrong, or the file asks for what this family does not have: scaled rotary
            positions, biases, another activation.
    """
    given = load(_Config, config, "config.json")
    norm = RMSNorm(eps=given.rms_norm_eps)
    layer = {
        "mixer": {
            "heads": given.num_attention_heads,
            "kv_heads": given.num_key_value_heads or given.num_attention_heads,
            "head_width": given.head_dim or given.hidden_size // given.num_attention_heads,
            "rotary": Rotary(base=given.rotary_base),
        },
        "feed_forward": DenseFeedForward(width=given.intermediate_size),
        "norm": norm,
    }
    table = {
        "width": given.hidden_size,
        "vocabulary": given.vocab_size,
        "layers": [layer] * given.num_hidden_layers,
        "norm": norm,
        "tied": given.tie_word_embeddings,
        "context": given.max_position_embeddings,
    }
    return load(ModelShape, table, "config.json")


def hugging_face_names(shape: ModelShape) -> dict[str, str]:
    """Our name of every parameter -> its name in a Hugging Face Llama checkpoint."""
    return {p.name: _name(p.name) for p in parameters(shape)}


def _name(ours: str) -> str:
    if not ours.startswith("layers."):
        return {"embed.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}.get(
            ours, "lm_head.weight"
        )
    _, index, rest = ours.split(".", 2)
    return f"model.layers.{index}.{_PARTS[rest.removesuffix('.weight')]}.weight"


LLAMA: Final = Family(
    summary="rotary positions, grouped-query attention, SwiGLU feed-forward, RMS norms",
    table=LlamaModel,
    from_hugging_face=shape_from_hugging_face,
    hugging_face_names=hugging_face_names,
)
