"""How the next token is chosen, the same in any batch, in any order and on any device.

The order is temperature, top-k, top-p, min-p; each filter sees what the one before left, renormalised. A draw is the
inverse of the cumulative distribution, in float64 on the CPU, at a uniform number from Philox (Salmon et al. 2011)
keyed by the seed, the request and the token's position: nothing is consumed from a stream, so company, order and
restarts change nothing. Cost a token: a few passes over the vocabulary, and a sort of its likeliest tokens where top-k
or top-p is set (2 ms for 128k ids on one core).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stretto.spec.errors import StrettoError
from stretto.spec.request import Sampling

_USUAL_NUCLEUS = 1024
"""Tokens that top-p sorts at first; all of them where these are not enough."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One token to choose: for which request, at which position of its text, and how."""

    request: str
    position: int
    sampling: Sampling


def choose(logits: Float[Tensor, "N V"], draws: Sequence[Draw]) -> list[tuple[int, float]]:
    """Choose a token for every row of `logits`.

    Args:
        logits: of the model, unfiltered.
        draws: one a row.

    Returns:
        For every row the token and its natural-log probability under the unfiltered model.

    Raises:
        StrettoError: a row holds values that are no numbers.
    """
    rows = logits.double().cpu()
    logprobs = rows.log_softmax(1)
    chosen: list[tuple[int, float]] = []
    for row, model, draw in zip(rows, logprobs, draws, strict=True):
        if model.isnan().any():
            raise StrettoError(
                f"request {draw.request}: the model's scores at position {draw.position} are no finite numbers; "
                f"its weights may be damaged, or the precision too low."
            )
        token = _token(row, draw)
        chosen.append((token, float(model[token])))
    return chosen


def distribution(logits: Float[Tensor, " V"], sampling: Sampling) -> Float[Tensor, " V"]:
    """The probabilities, in float64, that a token is drawn with.

    Tokens that are equally likely are ranked by their id, the lowest first.
    """
    if sampling.temperature == 0:
        return torch.zeros_like(logits, dtype=torch.float64).index_fill_(0, logits.argmax(), 1)
    wide = logits.double()
    # The maximum goes first: dividing by a tiny temperature then gives 0 and -inf, never inf - inf.
    kept = ((wide - wide.max()) / sampling.temperature).softmax(0)
    if sampling.top_k or sampling.top_p < 1:
        kept = _most_likely(kept, sampling.top_k, sampling.top_p)
    if sampling.min_p:
        kept = kept.where(kept >= sampling.min_p * kept.max(), 0)
    return kept / kept.sum()


def uniform(seed: int, request: str, position: int) -> float:
    """A number in [0, 1) that depends on its arguments alone."""
    import numpy as np

    digest = int.from_bytes(hashlib.sha256(request.encode("utf-8", "surrogatepass")).digest()[:8], "little")
    raw = np.random.Philox(key=np.array([seed, digest], dtype=np.uint64), counter=position).random_raw()
    return (int(raw) >> 11) * 2.0**-53


def _token(logits: Tensor, draw: Draw) -> int:
    if draw.sampling.temperature == 0:
        return int(logits.argmax())
    summed = distribution(logits, draw.sampling).cumsum(0)
    place = summed[-1] * uniform(draw.sampling.seed, draw.request, draw.position)
    # Rounding could lift the place to the end of the last interval; below it, a token of no probability is never hit.
    place = place.minimum(summed[-1].nextafter(torch.zeros((), dtype=torch.float64)))
    return int(torch.searchsorted(summed, place, right=True))


def _most_likely(kept: Tensor, top_k: int, top_p: float) -> Tensor:
    order = _ranking(kept, top_k or _USUAL_NUCLEUS)
    wanted = top_p * float(kept[order[:top_k]].sum() if top_k else kept.sum())
    if not top_k and kept[order].sum() < wanted:
        order = _ranking(kept, kept.shape[0])
    ranked = kept[order]
    if top_k:
        ranked[top_k:] = 0
    if top_p < 1:
        ranked[torch.cat((ranked.new_zeros(1), ranked.cumsum(0)[:-1])) >= wanted] = 0
    return torch.zeros_like(kept).index_copy_(0, order, ranked)


def _ranking(kept: Tensor, count: int) -> Tensor:
    """The ids of the `count` most likely tokens, and of those as likely as the last of them, in order."""
    if count >= kept.shape[0]:
        return kept.argsort(descending=True, stable=True)
    candidates = (kept >= kept.topk(count).values[-1]).nonzero().squeeze(1)
    return candidates[kept[candidates].argsort(descending=True, stable=True)]
