"""A mixture of gated feed-forwards with token-choice routing (Shazeer et al. 2017, eq. 1-5), dropless.

Rows are sorted by expert, so that each expert is one matmul over its rows; nothing is padded and nothing is dropped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def mixed_experts(
    x: Float[Tensor, "T C"],
    scores: Float[Tensor, "T E"],
    gate: Float[Tensor, "E F C"],
    up: Float[Tensor, "E F C"],
    down: Float[Tensor, "E C F"],
    chosen: int,
) -> Float[Tensor, "T C"]:
    """The outputs of each row's best `chosen` experts, weighted by the softmax over those experts' scores.

    Args:
        x: rows.
        scores: the router's scores.
        gate: first matrices, through silu.
        up: second matrices.
        down: last matrices.
        chosen: experts a row, at most E.
    """
    best, expert = scores.topk(chosen, dim=1)
    weight = best.softmax(1).flatten()
    order = expert.flatten().argsort(stable=True)
    rows = order // chosen
    out = torch.zeros_like(x)
    start = 0
    for e, count in enumerate(torch.bincount(expert.flatten(), minlength=scores.shape[1]).tolist()):
        mine = rows[start : start + count]
        inner = F.silu(x[mine] @ gate[e].T) * (x[mine] @ up[e].T)
        out = out.index_add(0, mine, (inner @ down[e].T) * weight[order[start : start + count], None])
        start += count
    return out
