"""Sizes of the models of published tables, as far as a schedule needs them.

What the input gradient leaves for the weight gradient is 32sbh of a layer's sb(34h + 5as) bytes (Qi et al. 2023, Zero
Bubble, table 1 and appendix G): h the width, a the heads, s tokens a sequence. Chunks hold (layers + 2) / p layers,
the embeddings counted as one each.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final, NamedTuple

from stretto.simulate.scoreboard.prediction import NotPredicted
from stretto.simulate.scoreboard.rows import Row


class Size(NamedTuple):
    """A model's sizes."""

    layers: int
    heads: int
    width: int
    tokens: int = 1024

    @property
    def weight_activation(self) -> float:
        """The share of a stored activation that I leaves until W."""
        return 32 * self.width / (34 * self.width + 5 * self.heads * self.tokens)

    @property
    def text(self) -> str:
        """The sizes that `weight_activation` comes from."""
        return f"h={self.width}, a={self.heads}, s={self.tokens}"


_SIZES: Final = MappingProxyType(
    {
        "1.5B": Size(22, 24, 2304),
        "6.2B": Size(30, 32, 4096),
        "14.6B": Size(46, 40, 5120),
        "28.3B": Size(62, 48, 6144),
    }
)
"""Zero Bubble, table 3."""


def size(row: Row) -> Size:
    """The sizes of a row's model: those that its note spells out, or those of the model's name.

    Raises:
        NotPredicted: neither says them.
    """
    told = [re.search(rf"\b{word} (\d{{1,6}})\b", row.note) for word in ("layers", "heads", "hidden", "seq")]
    if all(told):
        return Size(*(int(found.group(1)) for found in told if found))
    if row.model not in _SIZES:
        raise NotPredicted(
            f"the memory of a model called {row.model!r} is not known; "
            "a note such as 'layers 22, heads 24, hidden 2304, seq 1024' would say it"
        )
    return _SIZES[row.model]
