"""The Llama family: how its Hugging Face configuration and tensor names correspond to ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stretto.spec.parameters import parameters
from stretto.spec.shape import DenseFeedForward, ModelShape, RMSNorm, Rotary
from stretto.spec.value import load

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


def shape_from_hugging_face(config: Mapping[str, Any]) -> ModelShape:
    """The shape that a Llama ``config.json`` describes.

    Raises:
        UserError: a size is missing or wrong.
    """
    heads = config.get("num_attention_heads", 0)
    width = config.get("hidden_size", 0)
    norm = RMSNorm(eps=config.get("rms_norm_eps", 1e-6))
    rope = config.get("rope_parameters") or {}
    layer = {
        "mixer": {
            "heads": heads,
            "kv_heads": config.get("num_key_value_heads") or heads,
            "head_width": config.get("head_dim") or (width // heads if heads else 0),
            "rotary": Rotary(base=rope.get("rope_theta", config.get("rope_theta", 10_000.0))),
        },
        "feed_forward": DenseFeedForward(width=config.get("intermediate_size", 0)),
        "norm": norm,
    }
    table = {
        "width": width,
        "vocabulary": config.get("vocab_size"),
        "layers": [layer] * config.get("num_hidden_layers", 0),
        "norm": norm,
        "tied": config.get("tie_word_embeddings", False),
        "context": config.get("max_position_embeddings"),
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
