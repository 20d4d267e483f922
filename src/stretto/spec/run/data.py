"""[data]: where rows come from. `data` obeys it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from stretto.spec.value import Value


class Source(Value):
    """One data set in a mixture."""

    path: Path
    """A folder written by `stretto data build`."""
    weight: float = Field(default=1.0, gt=0)
    """Its share of the rows, relative to the other sources."""


class Data(Value):
    """What to train on and how it is packed."""

    sources: tuple[Source, ...] = Field(min_length=1)
    """The data sets, one or a mixture, such as '[{path = "data/train"}]'."""
    tokens: int = Field(default=1024, ge=2, le=2**24)
    """Positions of one row, which is also the longest document the model sees."""
    window_rows: int = Field(default=1024, ge=1, le=2**24)
    """Rows over which documents are packed together."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Order of documents and rows."""
