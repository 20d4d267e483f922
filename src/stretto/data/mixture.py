"""Mixture: which source row i comes from, and which of that source's rows it is, in constant time.

Rows come in blocks. Every block holds the same number of rows of a source, its weight's share by largest remainders,
in an order of its own; so every block has the mixture, and the rows before a block can be counted without being made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stretto.data.draws import order
from stretto.spec.errors import UserError

BLOCK_ROWS = 1024
"""Rows of a block; the smallest share that a source can have is about one in this."""


class Mixture:
    """Rows over sources in proportion to weights.

    Attributes:
        quotas: [sources] rows of each source in a block.

    Raises:
        UserError: a weight is so small that its source would never be read.
    """

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        self.quotas = quotas(weights, BLOCK_ROWS)
        if 0 in self.quotas:
            poor = self.quotas.index(0)
            raise UserError(
                f"data.sources.{poor}.weight is {weights[poor]:g}, a share of {weights[poor] / sum(weights):.2g}; "
                f"expected at least about 1/{BLOCK_ROWS} of the weights, or the source is never read."
            )
        self._seed = seed
        self._block = lru_cache(maxsize=2)(self._make_block)

    def place(self, row: int) -> tuple[int, int]:
        """The source of row `row` (from 0), and which of the source's rows it is."""
        block, inside = divmod(row, BLOCK_ROWS)
        sources, earlier = self._block(block)
        source = int(sources[inside])
        return source, block * self.quotas[source] + int(earlier[inside])

    def _make_block(self, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        sources = np.repeat(np.arange(len(self.quotas)), self.quotas)[order(BLOCK_ROWS, "mixture", self._seed, block)]
        earlier = np.empty(BLOCK_ROWS, np.int64)
        for source, quota in enumerate(self.quotas):
            earlier[sources == source] = np.arange(quota)
        return sources, earlier


def quotas(weights: Sequence[float], total: int) -> list[int]:
    """`total` shared out in proportion to `weights`, by largest remainders; equal ones go to the first."""
    scale = total / sum(weights)
    shares = [int(w * scale) for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: shares[i] - weights[i] * scale)
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares
