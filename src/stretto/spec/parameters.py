"""The table of a shape's parameters: the one list that building, counting, rules, checkpoints and imports read.

Parameters are stored unfused. Axes are logical names that a layout's rules map to mesh axes; a unit is the smallest
piece of a dim that may be cut off (a head's width for the heads axis).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from stretto.spec.shape import LayerShape, ModelShape


@dataclass(frozen=True, slots=True)
class Parameter:
    """One learned tensor.

    Attributes:
        name: such as ``layers.3.mixer.query.weight``.
        shape: global sizes; matrices are [out, in].
        axes: the logical axis of every dim: ``vocabulary embed heads kv_heads feed_forward``.
        units: for every dim, the size of the smallest piece that a layout may cut off.
        place: where it lives: ``embed``, ``layers.3``, ``norm`` or ``head``.
        deviation: standard deviation of its initial normal values; 0 for a scale that starts at one.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    units: tuple[int, ...]
    place: str
    deviation: float

    @property
    def size(self) -> int:
        """Its number of elements."""
        return math.prod(self.shape)


def parameters(shape: ModelShape) -> tuple[Parameter, ...]:
    """Every parameter of `shape`, in the order of the forward pass."""
    return (
        _matrix("embed.weight", "embed", ("vocabulary", shape.vocabulary), ("embed", shape.width), 0.02),
        *(p for i, layer in enumerate(shape.layers) for p in _layer(shape, layer, f"layers.{i}")),
        _scale("norm.weight", "norm", shape.width),
        *_head(shape),
    )


def _layer(shape: ModelShape, layer: LayerShape, place: str) -> Iterator[Parameter]:
    mixer, width = layer.mixer, shape.width
    spread = 1 / math.sqrt(width)
    residual = spread / math.sqrt(2 * len(shape.layers))
    embed = ("embed", width)
    heads = ("heads", mixer.heads * mixer.head_width)
    kv_heads = ("kv_heads", mixer.kv_heads * mixer.head_width)
    unit = mixer.head_width
    inner = ("feed_forward", layer.feed_forward.width)
    out = residual * math.sqrt(width / heads[1])
    down = residual * math.sqrt(width / inner[1])
    yield _scale(f"{place}.mixer_norm.weight", place, width)
    yield _matrix(f"{place}.mixer.query.weight", place, heads, embed, spread, (unit, 1))
    yield _matrix(f"{place}.mixer.key.weight", place, kv_heads, embed, spread, (unit, 1))
    yield _matrix(f"{place}.mixer.value.weight", place, kv_heads, embed, spread, (unit, 1))
    yield _matrix(f"{place}.mixer.output.weight", place, embed, heads, out, (1, unit))
    yield _scale(f"{place}.feed_forward_norm.weight", place, width)
    yield _matrix(f"{place}.feed_forward.gate.weight", place, inner, embed, spread)
    yield _matrix(f"{place}.feed_forward.up.weight", place, inner, embed, spread)
    yield _matrix(f"{place}.feed_forward.down.weight", place, embed, inner, down)


def _head(shape: ModelShape) -> Iterator[Parameter]:
    if not shape.tied:
        yield _matrix("head.weight", "head", ("vocabulary", shape.vocabulary), ("embed", shape.width), 0.02)


def _scale(name: str, place: str, width: int) -> Parameter:
    return Parameter(name, (width,), ("embed",), (1,), place, 0.0)


def _matrix(
    name: str,
    place: str,
    out: tuple[str, int],
    into: tuple[str, int],
    deviation: float,
    units: tuple[int, int] = (1, 1),
) -> Parameter:
    return Parameter(name, (out[1], into[1]), (out[0], into[0]), units, place, deviation)
