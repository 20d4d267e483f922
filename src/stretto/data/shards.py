"""What a data set is on disk: shards of tokens, and an index that says what must be there.

A folder holds ``index.json``, the tokenizer, and for every shard NNNNN

- ``NNNNN.tokens``: ids, uint16 or uint32, little-endian, documents end to end
- ``NNNNN.loss``: one byte a token, whether it carries loss; only where some document has tokens that do not
- ``NNNNN.offsets.npy``: int64 [documents + 1], where documents start in the two files above
- ``NNNNN.bytes.npy``: int64 [documents], the bytes of text whose tokens carry loss
- ``NNNNN.names.jsonl``: a JSON string a document, where it came from

Tokens and loss are read through memory maps, so a data set may be larger than memory.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stretto.spec.value import Value

INDEX_FILE = "index.json"


class ShardFile(Value):
    """A file of a shard and the size that it must have."""

    name: str
    size_bytes: int = Field(ge=0)


class Shard(Value):
    """A part of the data set that is written at once."""

    documents: int = Field(ge=1)
    tokens: int = Field(ge=1)
    loss: bool
    """Whether there is a loss file."""
    files: tuple[ShardFile, ...]


class Index(Value):
    """What a data set holds."""

    format: Literal["stretto.dataset/1"] = "stretto.dataset/1"
    tokenizer: str
    """Digest of the tokenizer in the folder."""
    vocabulary: int = Field(ge=1)
    """Ids are below this."""
    dtype: Literal["uint16", "uint32"]
    """Type of the token files."""
    documents: int = Field(ge=1)
    tokens: int = Field(ge=1)
    bytes: int = Field(ge=0)
    """Bytes of text whose tokens carry loss, over all documents: what bits per byte are per."""
    shards: tuple[Shard, ...] = Field(min_length=1)
    skipped: dict[str, int] = Field(default_factory=dict)
    """What was left out when the data set was built, counted by reason."""


def shard_name(shard: int, kind: str) -> str:
    """The file of `kind` (``tokens``, ``loss``, ``offsets.npy``, ``bytes.npy``, ``names.jsonl``) of a shard."""
    return f"{shard:05d}.{kind}"
