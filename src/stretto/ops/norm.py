"""Root-mean-square norm (Zhang and Sennrich 2019, eq. 4): the mean square and the product in float32 or better."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def rms_norm(x: Float[Tensor, "T C"], weight: Float[Tensor, " C"], eps: float) -> Float[Tensor, "T C"]:
    """``x / sqrt(mean(x**2) + eps) * weight``, in the dtype of `x`."""
    return torch.nn.functional.rms_norm(x, weight.shape, weight, eps)


def reference_rms_norm(x: Float[Tensor, "T C"], weight: Float[Tensor, " C"], eps: float) -> Float[Tensor, "T C"]:
    """What `rms_norm` computes, written out in float64."""
    wide = x.double()
    return (wide * (wide.square().mean(-1, keepdim=True) + eps).rsqrt() * weight.double()).to(x.dtype)
