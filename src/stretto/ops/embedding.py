"""Reading a table of embeddings, with a gradient that is added up wide.

Torch adds the rows of an embedding's gradient up in the table's own precision: in bfloat16, 4,096 ones of a frequent
token become 256. Here they are added up in float32 (float64 for float64) and rounded once.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def embedding(table: Float[Tensor, "V C"], tokens: Int[Tensor, " T"]) -> Float[Tensor, "T C"]:
    """The rows of `table` that `tokens` name."""
    if table.dtype in (torch.float32, torch.float64):
        return F.embedding(tokens, table)
    return _Embedding.apply(table, tokens)  # pyright: ignore[reportReturnType]


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, tokens: Tensor) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.rows, ctx.dtype = table.shape[0], table.dtype
        return F.embedding(tokens, table)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (tokens,) = ctx.saved_tensors
        total = grads[0].new_zeros(ctx.rows, grads[0].shape[1], dtype=torch.float32)
        return total.index_add_(0, tokens, grads[0].float()).to(ctx.dtype), None
