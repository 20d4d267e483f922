"""A shape becomes modules; initial weights become numbers.

Modules are built from the parameter table, so that their names and sizes are the table's. Initial weights depend on
the seed and the parameter's name alone: any cut of the model and any number of ranks starts from the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from stretto.models.decoder import Attention, Decoder, Embedding, FeedForward, Layer, Linear, Norm
from stretto.models.registry import family
from stretto.ops.rotary import rotary_table
from stretto.spec.parameters import Parameter, parameters
from stretto.spec.shape import ModelShape


def build(
    shape: ModelShape,
    *,
    layers: range | None = None,
    embed: bool = True,
    head: bool = True,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Decoder:
    """Build a model or a contiguous part of one, with weights that are not yet set.

    Args:
        shape: the whole model.
        layers: which layers the part has; by default all.
        embed: whether it starts with the embedding.
        head: whether it ends with the last norm and the output head (a tied part without the embedding holds a table
            of the embedding's name).
        device: where its tensors live; ``meta`` allocates nothing.
        dtype: of its parameters.

    Returns:
        The part, its parameters named as in `spec.parameters.parameters`.

    Raises:
        UserError: the shape's family is not registered.
    """
    family(shape.family)
    table = {p.name: p for p in parameters(shape)}
    held = range(len(shape.layers)) if layers is None else layers

    def empty(name: str) -> Tensor:
        return torch.empty(table[name].shape, device=device, dtype=dtype)

    rotary: dict[tuple[int, float], Tensor] = {}
    return Decoder(
        embed=Embedding(empty("embed.weight")) if embed or (head and shape.tied) else None,
        layers={i: _layer(shape, i, empty, rotary, device, dtype) for i in held},
        norm=Norm(empty("norm.weight"), shape.norm.eps) if head else None,
        head=Linear(empty("head.weight")) if head and not shape.tied else None,
        embeds=embed,
    )


@torch.no_grad()
def initialize(weights: Mapping[str, Tensor], shape: ModelShape, seed: int) -> None:
    """Set parameters, given by name (``dict(model.named_parameters())``), to their initial values for `seed`."""
    table = {p.name: p for p in parameters(shape)}
    for name, weight in weights.items():
        weight.copy_(initial_value(table[name], seed))


def initial_value(parameter: Parameter, seed: int) -> Tensor:
    """The parameter's whole initial value in float32, a function of its table entry and the seed alone."""
    if not parameter.deviation:
        return torch.ones(parameter.shape)
    key = hashlib.sha256(f"initial/{seed}/{parameter.name}".encode()).digest()[:8]
    generator = torch.Generator().manual_seed(int.from_bytes(key, "little") >> 1)
    return torch.randn(parameter.shape, generator=generator) * parameter.deviation


def _layer(
    shape: ModelShape,
    index: int,
    empty: Callable[[str], Tensor],
    rotary: dict[tuple[int, float], Tensor],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Layer:
    spec, place = shape.layers[index], f"layers.{index}"
    mixer = spec.mixer
    key = (mixer.head_width, mixer.rotary.base)
    if key not in rotary:
        rotary[key] = rotary_table(shape.context, *key).to(device=device, dtype=dtype)
    heads = {name: empty(f"{place}.mixer.{name}.weight") for name in ("query", "key", "value", "output")}
    inner = {name: empty(f"{place}.feed_forward.{name}.weight") for name in ("gate", "up", "down")}
    return Layer(
        Norm(empty(f"{place}.mixer_norm.weight"), spec.norm.eps),
        Attention(index, mixer.head_width, heads, rotary[key]),
        Norm(empty(f"{place}.feed_forward_norm.weight"), spec.norm.eps),
        FeedForward(inner),
    )
