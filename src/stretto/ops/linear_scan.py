"""Gated linear attention (Yang et al. 2024, eq. 3) in its recurrent form: the definition, one position at a time.

``S[t] = decay[t] * S[t-1] + key[t] outer value[t]`` and ``out[t] = query[t] @ S[t]``; the state starts from zero at
every document. Costs one small step a position, so it defines the result rather than being quick at it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def linear_scan(
    query: Float[Tensor, "T H D"],
    key: Float[Tensor, "T H D"],
    value: Float[Tensor, "T H E"],
    decay: Float[Tensor, "T H"],
    offsets: Sequence[int],
) -> Float[Tensor, "T H E"]:
    """The scan's outputs; zero for rows that belong to no document.

    Args:
        query: reads the state.
        key: writes to the state.
        value: what is written.
        decay: in [0, 1], multiplies the state before each write.
        offsets: N+1 ascending positions; the state is zero before each document.
    """
    starts = set(offsets)
    state = query.new_zeros(query.shape[1], query.shape[2], value.shape[2])
    out: list[Tensor] = []
    for t in range(offsets[-1]):
        kept = torch.zeros_like(state) if t in starts else state * decay[t, :, None, None]
        state = kept + key[t, :, :, None] * value[t, :, None, :]
        out.append(torch.einsum("hd,hde->he", query[t], state))
    unowned = query.new_zeros(query.shape[0] - offsets[-1], *value.shape[1:])
    return torch.cat((torch.stack(out), unowned)) if out else unowned
