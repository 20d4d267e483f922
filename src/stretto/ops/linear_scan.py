"""Gated linear attention (Yang et al. 2024, eq. 3) in its recurrent form: the definition, one position at a time.

``S[t] = decay[t] * S[t-1] + key[t] outer value[t]`` and ``out[t] = query[t] @ S[t]``; the state starts from zero at
every document, or from what an earlier part of the document left. Costs one small step a position, so it defines the
result rather than being quick at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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
    zero = query.new_zeros(len(offsets) - 1, query.shape[1], query.shape[2], value.shape[2])
    return continued_scan(query, key, value, decay, offsets, zero)[0]


def continued_scan(
    query: Float[Tensor, "T H D"],
    key: Float[Tensor, "T H D"],
    value: Float[Tensor, "T H E"],
    decay: Float[Tensor, "T H"],
    offsets: Sequence[int],
    states: Float[Tensor, "N H D E"],
) -> tuple[Float[Tensor, "T H E"], Float[Tensor, "N H D E"]]:
    """Continue N documents from the states that their earlier positions left.

    Args:
        query: reads the state.
        key: writes to the state.
        value: what is written.
        decay: in [0, 1], multiplies the state before each write.
        offsets: N+1 ascending positions; document n's new rows are ``offsets[n]:offsets[n+1]``.
        states: before each document's first new row; zero where nothing came before.

    Returns:
        The outputs (zero for rows that belong to no document) and the states after each document's last row.
    """
    out: list[Tensor] = []
    last: list[Tensor] = []
    for state, (start, stop) in zip(states.unbind(0), pairwise(offsets), strict=True):
        for t in range(start, stop):
            state = state * decay[t, :, None, None] + key[t, :, :, None] * value[t, :, None, :]  # noqa: PLW2901
            out.append(torch.einsum("hd,hde->he", query[t], state))
        last.append(state)
    unowned = query.new_zeros(query.shape[0] - offsets[-1], *value.shape[1:])
    return torch.cat((torch.stack(out), unowned)) if out else unowned, torch.stack(last) if last else states
