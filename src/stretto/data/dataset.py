"""Dataset: documents of tokens as `build` wrote them, read through memory maps.

Opening checks that every file of the index is there with its size; after that a document is a view into the map, so
reading costs what is touched. Where each document is and how long, is in memory (32 bytes a document).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stretto.data.shards import INDEX_FILE, Index, shard_name
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
        offsets = [np.load(folder / shard_name(i, "offsets.npy")) for i in range(len(index.shards))]
        self.lengths: NDArray[np.int64] = np.concatenate([np.diff(o) for o in offsets])
        sizes = [np.load(folder / shard_name(i, "bytes.npy")) for i in range(len(index.shards))]
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
            raise UserError(f"{folder} is no data set: expected a folder with {INDEX_FILE} by stretto data build{hint}")
        index = load_json(Index, path, "the index of a data set")
        for file in (f for shard in index.shards for f in shard.files):
            _check_size(folder / file.name, file.size_bytes)
        try:
            return cls(folder, index)
        except (ValueError, FileNotFoundError) as error:
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
        """Tokens [length] of one document, and which of them carry loss (None: all); both are views."""
        return self.part(number, 0, int(self.lengths[number]))

    def part(self, number: int, start: int, stop: int) -> tuple[NDArray[np.unsignedinteger], NDArray[np.bool_] | None]:
        """Tokens [stop - start] of one document, and which of them carry loss (None: all); both are views."""
        shard = self._shard[number]
        first = self._start[number] + start
        last = first + stop - start
        loss = self._loss[shard]
        return self._tokens[shard][first:last], None if loss is None else loss[first:last]

    @cached_property
    def predicted_tokens(self) -> int:
        """Tokens that can be predicted: those that carry loss and are not the first of their document."""
        total = self.tokens - len(self)
        if not self.has_loss:
            return total
        marks = (self.document(i)[1] for i in range(len(self)))
        return sum(int(self.lengths[i]) - 1 if m is None else int(m[1:].sum()) for i, m in enumerate(marks))

    def names(self) -> Iterator[str]:
        """Where every document came from, in order."""
        for i in range(len(self.index.shards)):
            with (self.folder / shard_name(i, "names.jsonl")).open("rb") as lines:
                yield from map(json.loads, lines)

    def _map(self, shard: int, kind: str, dtype: str) -> NDArray[np.generic]:
        # asarray: slices of the memmap class itself cost ten times as much.
        return np.asarray(np.memmap(self.folder / shard_name(shard, kind), dtype=dtype, mode="r"))


def _check_size(path: Path, size_bytes: int) -> None:
    found = path.stat().st_size if path.is_file() else None
    if found is None:
        raise UserError(f"{path} is missing from its data set; build the data set again.")
    if found != size_bytes:
        raise UserError(f"{path} is damaged: it has {found} bytes, expected {size_bytes}; build the data set again.")
