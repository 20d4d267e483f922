"""Rows: the endless line of packed rows that a run trains on, any of which can be made by itself.

An epoch lays all documents of a source end to end in an order of its own. Windows of ``window_rows * tokens`` positions
are cut from that line and packed by themselves (`data.packing`), so a row costs at most the packing of its window, and
a document is cut at a border, at `tokens`, or to fill a gap. Every token is in exactly one row of an epoch, and
every row but an epoch's last is full. A piece is a document of its own: positions start at 0. The label of its last
token is the token that follows in the source, so only the first token of a document is never predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stretto.data.dataset import Dataset
from stretto.data.draws import order
from stretto.data.mixture import Mixture
from stretto.data.packing import Piece, cut, pack
from stretto.spec.batch import NO_LABEL, PackedBatch
from stretto.spec.errors import UserError
from stretto.spec.run.data import Data


class Rows:
    """Packed rows of one data set or of a mixture.

    Attributes:
        tokens: positions of a row.
        sources: the rows of every source.
        vocabulary: ids are below this.
        tokenizer: digest of the tokenizer that every source was built with.
    """

    def __init__(self, config: Data) -> None:
        datasets = [Dataset.open(source.path) for source in config.sources]
        _check_tokenizers(datasets)
        self.tokens = config.tokens
        self.sources = [
            SourceRows(dataset, config.tokens, config.window_rows, (config.seed, number))
            for number, dataset in enumerate(datasets)
        ]
        self.vocabulary = datasets[0].index.vocabulary
        self.tokenizer = datasets[0].index.tokenizer
        self._mixture = Mixture([source.weight for source in config.sources], config.seed)

    @property
    def rows_per_epoch(self) -> int:
        """Rows of one epoch of every source together."""
        return sum(source.rows_per_epoch for source in self.sources)

    def row(self, number: int) -> PackedBatch:
        """Row `number` (from 0, without end): exactly `tokens` positions.

        Only an epoch's last row has positions at its end that belong to no document.
        """
        if len(self.sources) == 1:
            return self.sources[0].row(number)
        source, inside = self._mixture.place(number)
        return self.sources[source].row(inside)

    @property
    def shares(self) -> list[float]:
        """The share of the rows that each source has."""
        total = sum(self._mixture.quotas)
        return [quota / total for quota in self._mixture.quotas]


class SourceRows:
    """The rows of one data set.

    Args:
        dataset: what is packed.
        tokens: positions of a row.
        window_rows: rows that are packed together.
        key: seed, and the number of the source in its mixture.
    """

    def __init__(self, dataset: Dataset, tokens: int, window_rows: int, key: tuple[int, int]) -> None:
        self.dataset, self.tokens, self.window_rows = dataset, tokens, window_rows
        self.rows_per_epoch = -(-dataset.tokens // tokens)
        self._key = key
        self._positions = np.arange(tokens, dtype=np.int32)
        # Two of each: the next epoch or window begins while the last one is still asked for.
        self._line = lru_cache(maxsize=2)(self._make_line)
        self._window = lru_cache(maxsize=2)(self._make_window)

    def row(self, number: int) -> PackedBatch:
        """Row `number` (from 0, without end)."""
        return self._assemble(self.pieces(number))

    def pieces(self, number: int) -> list[Piece]:
        """What row `number` is made of."""
        epoch, inside = divmod(number, self.rows_per_epoch)
        window, place = divmod(inside, self.window_rows)
        return self._window(epoch, window)[place]

    def _make_line(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Documents in the order of the epoch, and where each starts on the epoch's line of tokens."""
        documents = order(len(self.dataset), "documents", *self._key, epoch)
        ends = np.cumsum(self.dataset.lengths[documents])
        return documents, ends - self.dataset.lengths[documents]

    def _make_window(self, epoch: int, window: int) -> list[list[Piece]]:
        """The rows of a window in their order."""
        first = window * self.window_rows * self.tokens
        last = min(first + self.window_rows * self.tokens, self.dataset.tokens)
        whole, rest = divmod(last - first, self.tokens)
        rows = pack(self._pieces(epoch, first, last), [self.tokens] * whole + [rest] * (rest > 0))
        return [rows[i] for i in order(len(rows), "rows", *self._key, epoch, window)]

    def _pieces(self, epoch: int, first: int, last: int) -> list[Piece]:
        """The pieces of positions `first` to `last` of an epoch's line."""
        documents, starts = self._line(epoch)
        low, high = np.searchsorted(starts, first, "right") - 1, np.searchsorted(starts, last)
        found: list[Piece] = []
        for document, start in zip(documents[low:high].tolist(), starts[low:high].tolist(), strict=True):
            length = int(self.dataset.lengths[document])
            found += cut(document, max(first - start, 0), min(last - start, length), self.tokens)
        return found

    def _assemble(self, pieces: Sequence[Piece]) -> PackedBatch:
        tokens, positions = np.zeros(self.tokens, np.int32), np.zeros(self.tokens, np.int32)
        labels = np.full(self.tokens, NO_LABEL, np.int32)
        offsets = [0]
        for document, start, stop in pieces:
            at, end = offsets[-1], offsets[-1] + stop - start
            # One token more than the piece has: the label of its last one.
            found, loss = self.dataset.part(document, start, min(stop + 1, int(self.dataset.lengths[document])))
            tokens[at:end] = found[: stop - start]
            positions[at:end] = self._positions[: stop - start]
            label = labels[at : at + len(found) - 1]
            label[:] = found[1:]
            if loss is not None:
                label[~loss[1:]] = NO_LABEL
            offsets.append(end)
        return PackedBatch(tokens, positions, labels, np.asarray(offsets, np.int32))


def _check_tokenizers(datasets: Sequence[Dataset]) -> None:
    first = datasets[0]
    for dataset in datasets[1:]:
        if dataset.index.tokenizer != first.index.tokenizer:
            raise UserError(
                f"{dataset.folder} and {first.folder} were built with different tokenizers; build one of them again "
                f"with --tokenizer {first.folder}."
            )
