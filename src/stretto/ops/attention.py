"""Causal attention over packed documents, and its continuation over kept keys and values.

Documents never see each other because each is attended to on its own: there is no mask to get wrong, other values in
one document leave the bits of the others alone, and no work is done between documents (the cost is the sum of
L * (L + 1) / 2 pairs a head). The kernel is torch's fused one for the device; `reference_attention` writes the
arithmetic out and is what tests compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def packed_attention(
    query: Float[Tensor, "T H D"],
    key: Float[Tensor, "T K D"],
    value: Float[Tensor, "T K D"],
    offsets: Sequence[int],
    scale: float,
) -> Float[Tensor, "T H D"]:
    """Causal attention inside each document.

    Args:
        query: rotated queries.
        key: rotated keys; K divides H, and query head h reads key/value head h // (H // K).
        value: values.
        offsets: N+1 ascending positions; document n is rows ``offsets[n]:offsets[n+1]``.
        scale: multiplies the scores, normally ``D ** -0.5``.

    Returns:
        The mixed values; zero for rows that belong to no document.
    """
    parts = [
        _causal(query[start:stop], key[start:stop], value[start:stop], scale)
        for start, stop in pairwise(offsets)
        if stop > start
    ]
    unowned = query.shape[0] - offsets[-1]
    if unowned or not parts:
        parts.append(query.new_zeros(unowned, *query.shape[1:]))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def continued_attention(
    query: Float[Tensor, "Q H D"],
    key: Float[Tensor, "T K D"],
    value: Float[Tensor, "T K D"],
    scale: float,
) -> Float[Tensor, "Q H D"]:
    """Attention of a document's last Q positions over all its T positions so far (Q <= T)."""
    queries, total = query.shape[0], key.shape[0]
    if queries == total:
        return _causal(query, key, value, scale)
    if queries == 1:
        return _one_query(query, key, value, scale)
    seen = torch.ones(queries, total, dtype=torch.bool, device=query.device).tril(total - queries)
    q, k, v = (_heads_first(t) for t in (query, key, value))
    out = F.scaled_dot_product_attention(
        q, k, v, attn_mask=seen, scale=scale, enable_gqa=query.shape[1] != key.shape[1]
    )
    return out.squeeze(0).transpose(0, 1)


def reference_attention(
    query: Float[Tensor, "T H D"],
    key: Float[Tensor, "T K D"],
    value: Float[Tensor, "T K D"],
    offsets: Sequence[int],
    scale: float,
) -> Float[Tensor, "T H D"]:
    """What `packed_attention` computes, in plain operations over a full [T, T] mask."""
    total, groups = query.shape[0], query.shape[1] // key.shape[1]
    document = torch.bucketize(torch.arange(total), torch.tensor(offsets), right=True)
    row = torch.arange(total)
    seen = (document[:, None] == document[None, :]) & (row[:, None] >= row[None, :])
    scores = torch.einsum("qhd,khd->hqk", query, key.repeat_interleave(groups, 1)) * scale
    weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    out = torch.einsum("hqk,khd->qhd", weights, value.repeat_interleave(groups, 1))
    return out.masked_fill((row >= offsets[-1])[:, None, None], 0)


def _causal(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    grouped = query.shape[1] != key.shape[1]
    q, k, v = (_heads_first(t) for t in (query, key, value))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=grouped)
    return out.squeeze(0).transpose(0, 1)


def _one_query(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    # The query heads of a group become rows of one small matmul: on the CPU several times faster than a fused kernel.
    heads, width = query.shape[1:]
    groups = query.view(key.shape[1], heads // key.shape[1], width)
    scores = torch.matmul(groups, key.permute(1, 2, 0)) * scale
    weights = scores.softmax(-1, dtype=torch.float64 if query.dtype == torch.float64 else torch.float32)
    return torch.matmul(weights.to(value.dtype), value.transpose(0, 1)).view(1, heads, width)


def _heads_first(x: Tensor) -> Tensor:
    return x.transpose(0, 1).unsqueeze(0)
