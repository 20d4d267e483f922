"""Dataset: documents of tokens as `build` wrote them, read through memory maps.

Opening checks that every file of the index is there with its size, and that the documents lie end to end; after that
a document is a view into the map, so reading costs what is touched. Ids are checked where they are read. Where each
document is and how long, is in memory (32 bytes a document).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stretto.data.shards import INDEX_FILE, Index, Shard, shard_name
from stretto.spec.errors import UserError
from stretto.spec.value import load_json


class Dataset:
    """One data set, such as ``folder/train``.

    Attributes:
        folder: where it is; its tokenizer is there too (`text.tokenizer.Tokenizer.load`).
        index: what it holds.
        lengths: [documents] tokens of every document, int64.
        text_bytes: [documents] bytes of every document's text whose tokens carry loss, int64.
    """

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder, self.index = folder, index
        offsets = [_offsets(folder / shard_name(i, "offsets.npy"), s) for i, s in enumerate(index.shards)]
        self.lengths: NDArray[np.int64] = np.concatenate([np.diff(o) for o in offsets])
        sizes = [_sizes(folder / shard_name(i, "bytes.npy"), s) for i, s in enumerate(index.shards)]
        self.text_bytes: NDArray[np.int64] = np.concatenate(sizes)
        self._shard = np.repeat(np.arange(len(offsets)), [len(o) - 1 for o in offsets])
        self._start = np.concatenate([o[:-1] for o in offsets])
        self._tokens = [self._map(i, "tokens", f"<u{np.dtype(index.dtype).itemsize}") for i in range(len(offsets))]
        self._loss = [self._map(i, "loss", "?") if s.loss else None for i, s in enumerate(index.shards)]

    @classmethod
    def open(cls, folder: Path | str) -> Dataset:
        """Open the data set in `folder`.

        Raises:
            UserError: it is no data set, or one of its files is missing, cut short or damaged.
        """
        folder = Path(folder)
        path = folder / INDEX_FILE
        if not path.is_file():
            inside = folder / "train"
            hint = f"; did you mean {inside}?" if (inside / INDEX_FILE).is_file() else ""
            raise UserError(
                f"{folder} is no data set: expected a folder that stretto data build made, with {INDEX_FILE}{hint}."
            )
        index = load_json(Index, path, "the index of a data set")
        for file in (f for shard in index.shards for f in shard.files):
            _check_size(folder / file.name, file.size_bytes)
        try:
            return cls(folder, index)
        except (ValueError, EOFError, FileNotFoundError) as error:
            raise UserError(f"{folder} is a damaged data set: {error}; build it again.") from None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Tokens of all documents."""
        return self.index.tokens

    @property
    def has_loss(self) -> bool:
        """Whether some tokens carry no loss."""
        return any(shard.loss for shard in self.index.shards)

    def document(self, number: int) -> tuple[NDArray[np.unsignedinteger], NDArray[np.bool_] | None]:
        """All of one document, as `part` gives it."""
        return self.part(number, 0, int(self.lengths[number]))

    def part(self, number: int, start: int, stop: int) -> tuple[NDArray[np.unsignedinteger], NDArray[np.bool_] | None]:
        """Tokens [stop - start] of one document, and which of them carry loss (None: all); both are views.

        Raises:
            UserError: an id is not below the vocabulary.
        """
        first = self._start[number] + start
        tokens = self._tokens[self._shard[number]][first : first + stop - start]
        if len(tokens) and (largest := int(tokens.max())) >= self.index.vocabulary:
            raise UserError(
                f"{self.folder} is a damaged data set: document {number} has the id {largest}, expected ids below its "
                f"vocabulary, {self.index.vocabulary}; build it again."
            )
        return tokens, self._marks(number, start, stop)

    @cached_property
    def predicted_tokens(self) -> int:
        """Tokens that can be predicted: those that carry loss and are not the first of their document."""
        total = self.tokens - len(self)
        if not self.has_loss:
            return total
        lengths = self.lengths.tolist()
        marks = (self._marks(i, 1, length) for i, length in enumerate(lengths))
        return sum(length - 1 if m is None else int(m.sum()) for length, m in zip(lengths, marks, strict=True))

    def names(self) -> Iterator[str]:
        """Where every document came from, in order."""
        for i in range(len(self.index.shards)):
            with (self.folder / shard_name(i, "names.jsonl")).open("rb") as lines:
                yield from map(json.loads, lines)

    def _marks(self, number: int, start: int, stop: int) -> NDArray[np.bool_] | None:
        loss, first = self._loss[self._shard[number]], self._start[number] + start
        return None if loss is None else loss[first : first + stop - start]

    def _map(self, shard: int, kind: str, dtype: str) -> NDArray[np.generic]:
        # asarray: slices of the memmap class itself cost ten times as much.
        return np.asarray(np.memmap(self.folder / shard_name(shard, kind), dtype=dtype, mode="r"))


def _offsets(path: Path, shard: Shard) -> NDArray[np.int64]:
    """Where the documents of a shard start, and where the last one ends."""
    found = np.load(path)
    fits = found.dtype == np.int64 and found.shape == (shard.documents + 1,)
    if not fits or found[0] != 0 or found[-1] != shard.tokens or (np.diff(found) < 1).any():
        raise ValueError(
            f"{path.name} does not lay {shard.documents} documents end to end, from 0 to {shard.tokens} tokens"
        )
    return found


def _sizes(path: Path, shard: Shard) -> NDArray[np.int64]:
    """The bytes of the documents of a shard."""
    found = np.load(path)
    if found.dtype != np.int64 or found.shape != (shard.documents,) or (found < 0).any():
        raise ValueError(f"{path.name} does not hold the bytes of {shard.documents} documents")
    return found


def _check_size(path: Path, size_bytes: int) -> None:
    found = path.stat().st_size if path.is_file() else None
    if found is None:
        raise UserError(f"{path} is missing from its data set; build the data set again.")
    if found != size_bytes:
        raise UserError(f"{path} is damaged: it has {found} bytes, expected {size_bytes}; build the data set again.")
