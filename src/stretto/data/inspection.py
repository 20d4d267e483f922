"""Inspection: what a data set holds and how it packs, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from stretto.data.dataset import Dataset
from stretto.data.rows import SourceRows
from stretto.spec.run.data import Data

PACKED_ROWS = 2**16
"""Rows of an epoch that `packing` looks at, at most."""
_PERCENTILES = (1, 5, 25, 50, 75, 95, 99, 100)


@dataclass(frozen=True, slots=True)
class Packing:
    """How well an epoch packs.

    Attributes:
        rows: rows of the epoch that were looked at: all, or the first `PACKED_ROWS`.
        tokens: positions of a row.
        efficiency: share of their positions that belong to a document.
        pieces: documents and parts of documents in them.
        needed_cuts: the fewest cuts that make every piece fit into a row.
        further_cuts: cuts beyond them, at a window's border or to fill a gap.
    """

    rows: int
    tokens: int
    efficiency: float
    pieces: int
    needed_cuts: int
    further_cuts: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Documents with ``low`` to ``high`` tokens, both included."""

    low: int
    high: int
    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a data set holds.

    Attributes:
        documents: how many.
        tokens: of all documents, begin and end tokens included.
        predicted_tokens: those that carry loss and are not the first of their document.
        bytes: of text whose tokens carry loss.
        bytes_per_token: bytes over predicted tokens.
        vocabulary: of the tokenizer.
        length_percentiles: percentile -> tokens of a document; 100 is the longest.
        histogram: documents by length, in bins of powers of four.
        packing: of its first epoch.
        skipped: what was left out when it was built, counted by reason.
    """

    documents: int
    tokens: int
    predicted_tokens: int
    bytes: int
    bytes_per_token: float
    vocabulary: int
    length_percentiles: dict[int, int]
    histogram: tuple[Bin, ...]
    packing: Packing
    skipped: dict[str, int]


_TOKENS: Final[int] = Data.model_fields["tokens"].default
_WINDOW_ROWS: Final[int] = Data.model_fields["window_rows"].default
_SEED: Final[int] = Data.model_fields["seed"].default


def inspect(dataset: Dataset, tokens: int = _TOKENS, window_rows: int = _WINDOW_ROWS, seed: int = _SEED) -> Inspection:
    """Describe a data set; `tokens`, `window_rows` and `seed` are those of the rows that it is packed into.

    By default they are those of a run that does not say.
    """
    marks = np.percentile(dataset.lengths, _PERCENTILES, method="nearest")
    return Inspection(
        documents=len(dataset),
        tokens=dataset.tokens,
        predicted_tokens=dataset.predicted_tokens,
        bytes=dataset.index.bytes,
        bytes_per_token=dataset.index.bytes / max(dataset.predicted_tokens, 1),
        vocabulary=dataset.index.vocabulary,
        length_percentiles={p: int(mark) for p, mark in zip(_PERCENTILES, marks, strict=True)},
        histogram=histogram(dataset),
        packing=packing(SourceRows(dataset, tokens, window_rows, (seed, 0))),
        skipped=dataset.index.skipped,
    )


def histogram(dataset: Dataset) -> tuple[Bin, ...]:
    """Documents by length: up to 15 tokens, 16 to 63, 64 to 255 and so on, to the longest."""
    edges = [0, 16]
    while edges[-1] <= dataset.lengths.max():
        edges.append(edges[-1] * 4)
    documents, _ = np.histogram(dataset.lengths, edges)
    tokens, _ = np.histogram(dataset.lengths, edges, weights=dataset.lengths)
    return tuple(Bin(edges[i], edges[i + 1] - 1, int(documents[i]), int(tokens[i])) for i in range(len(edges) - 1))


def packing(rows: SourceRows) -> Packing:
    """How the first epoch of a source packs; reads no token."""
    planned = [rows.pieces(i) for i in range(min(rows.rows_per_epoch, PACKED_ROWS))]
    covered: Counter[int] = Counter()
    for document, start, stop in (piece for row in planned for piece in row):
        covered[document] += stop - start
    pieces = sum(map(len, planned))
    needed = sum((length - 1) // rows.tokens for length in covered.values())
    return Packing(
        rows=len(planned),
        tokens=rows.tokens,
        efficiency=covered.total() / (len(planned) * rows.tokens),
        pieces=pieces,
        needed_cuts=needed,
        further_cuts=pieces - len(covered) - needed,
    )
