"""Writing: a folder that appears whole or not at all, and the writer of one data set inside it.

`appearing` gives a hidden folder beside the final one; what is written there is synced to disk, then the folder gets
its name. A killed process leaves at most the hidden folder, never half of a data set. An existing folder is never
touched.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stretto.data.disk import sync
from stretto.data.shards import INDEX_FILE, Index, Shard, ShardFile, shard_name
from stretto.spec.errors import StrettoError, UserError
from stretto.spec.value import dump_json
from stretto.text.tokenizer import Tokenizer

_SMALL_VOCABULARY = 2**16


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A folder to write into that becomes `folder` when the block ends well and disappears when it does not.

    Raises:
        UserError: `folder` exists, or cannot be made.
        StrettoError: the disk is full or fails.
    """
    if folder.exists():
        raise UserError(f"{folder} exists and is never overwritten; name a new folder or remove it.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        hidden = folder.parent / f".{folder.name}.writing-{secrets.token_hex(4)}"
        hidden.mkdir()
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}.") from None
    try:
        yield hidden
        _sync(hidden)
        os.rename(hidden, folder)
        sync(folder.parent)
    except OSError as error:
        raise StrettoError(f"{folder} could not be written: {error.strerror or error}; nothing was kept.") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _sync(folder: Path) -> None:
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(place, name))
        sync(Path(place))


class DatasetWriter:
    """Writes documents into shards of one data set.

    Args:
        folder: made, and filled.
        tokenizer: whose ids are written; a copy goes into the folder.
        shard_tokens: a shard is closed once it has this many tokens.
    """

    def __init__(self, folder: Path, tokenizer: Tokenizer, shard_tokens: int) -> None:
        folder.mkdir()
        tokenizer.save(folder)
        self._folder, self._tokenizer, self._shard_tokens = folder, tokenizer, shard_tokens
        self._small = tokenizer.vocabulary <= _SMALL_VOCABULARY
        self._shards: list[Shard] = []
        self._open: _ShardWriter | None = None
        self._bytes = 0

    def add(self, name: str, tokens: Sequence[int], loss: Sequence[bool] | None, text_bytes: int) -> None:
        """Append one document; `loss` is None where every token carries it."""
        if self._open is None:
            self._open = _ShardWriter(self._folder, len(self._shards), "<u2" if self._small else "<u4")
        self._open.add(name, tokens, loss, text_bytes)
        self._bytes += text_bytes
        if self._open.tokens >= self._shard_tokens:
            self._close_shard()

    def finish(self, skipped: dict[str, int]) -> Index | None:
        """Write the index; None, and no index, where there is no document."""
        self._close_shard()
        if not self._shards:
            return None
        index = Index(
            tokenizer=self._tokenizer.digest,
            vocabulary=self._tokenizer.vocabulary,
            dtype="uint16" if self._small else "uint32",
            documents=sum(s.documents for s in self._shards),
            tokens=sum(s.tokens for s in self._shards),
            bytes=self._bytes,
            shards=tuple(self._shards),
            skipped=skipped,
        )
        (self._folder / INDEX_FILE).write_text(dump_json(index), encoding="utf-8")
        return index

    def close(self) -> None:
        """Close what is open, after a failure."""
        if self._open is not None:
            self._open.close()

    def _close_shard(self) -> None:
        if self._open is not None:
            self._shards.append(self._open.finish())
            self._open = None


class _ShardWriter:
    def __init__(self, folder: Path, number: int, dtype: str) -> None:
        self._folder, self._number, self._dtype = folder, number, dtype
        self._files = ExitStack()
        self._tokens = self._file("tokens")
        self._names = self._file("names.jsonl")
        self._loss: BinaryIO | None = None
        self._offsets, self._bytes = [0], list[int]()

    @property
    def tokens(self) -> int:
        return self._offsets[-1]

    def add(self, name: str, tokens: Sequence[int], loss: Sequence[bool] | None, text_bytes: int) -> None:
        if loss is not None and not all(loss) and self._loss is None:
            self._loss = self._file("loss")
            self._loss.write(b"\1" * self.tokens)
        if self._loss is not None:
            self._loss.write(bytes(loss) if loss is not None else b"\1" * len(tokens))
        self._tokens.write(np.asarray(tokens, self._dtype).tobytes())
        # A path may hold bytes that are no text; JSON's escapes carry them.
        self._names.write(json.dumps(name).encode() + b"\n")
        self._offsets.append(self.tokens + len(tokens))
        self._bytes.append(text_bytes)

    def finish(self) -> Shard:
        self.close()
        np.save(self._folder / shard_name(self._number, "offsets.npy"), np.asarray(self._offsets, "<i8"))
        np.save(self._folder / shard_name(self._number, "bytes.npy"), np.asarray(self._bytes, "<i8"))
        files = sorted(self._folder.glob(shard_name(self._number, "*")))
        return Shard(
            documents=len(self._bytes),
            tokens=self.tokens,
            loss=self._loss is not None,
            files=tuple(ShardFile(name=f.name, size_bytes=f.stat().st_size) for f in files),
        )

    def close(self) -> None:
        self._files.close()

    def _file(self, kind: str) -> BinaryIO:
        path = self._folder / shard_name(self._number, kind)
        return self._files.enter_context(path.open("wb", buffering=2**20))
