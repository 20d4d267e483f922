"""Rotary position embedding (Su et al. 2021, eq. 34) in the half-split form that Llama checkpoints use.

A table of cosines and sines per position is made once, in float64; rotating is linear, so its backward pass is the
rotation by the opposite angle and nothing but the table is kept.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


def rotary_table(positions: int, width: int, base: float) -> Float[Tensor, "positions 2 half"]:
    """Cosines and sines of ``position * base ** (-2 i / width)`` for every position and i < width / 2, in float64."""
    exponents = torch.arange(0, width, 2, dtype=torch.float64) / width
    angles = torch.arange(positions, dtype=torch.float64)[:, None] * base**-exponents
    return torch.stack((angles.cos(), angles.sin()), 1)


def rotate(
    x: Float[Tensor, "T H D"], positions: Int[Tensor, " T"], table: Float[Tensor, "positions 2 half"]
) -> Float[Tensor, "T H D"]:
    """Rotate each head by its position's angles; `table` has the dtype of `x`."""
    angles = table.index_select(0, positions).unsqueeze(2)
    return _Rotate.apply(x, angles[:, 0], angles[:, 1])  # pyright: ignore[reportReturnType]


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        ctx.save_for_backward(cosine, sine)
        return _turn(x, cosine, sine)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        cosine, sine = ctx.saved_tensors
        return _turn(grads[0], cosine, -sine), None, None


def _turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    left, right = out.chunk(2, -1)
    torch.mul(first, cosine, out=left)
    left.addcmul_(second, sine, value=-1)
    torch.mul(second, cosine, out=right)
    right.addcmul_(first, sine)
    return out
