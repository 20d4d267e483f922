"""Manifest: what a checkpoint holds, written last, so that a checkpoint without one does not exist.

A tensor is one or more pieces; a piece is an interval per dim of the tensor's global shape, stored under `key` in one
safetensors file. Any layout can read what any other wrote.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stretto.spec.shape import ModelShape
from stretto.spec.value import Value

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
"""A file inside the checkpoint's folder: no path, so that a foreign manifest points nowhere else."""


class Piece(Value):
    """Part of a tensor: ``tensor[start:stop]`` per dim, stored whole under `key` in `file`."""

    file: FileName
    key: str
    intervals: tuple[tuple[int, int], ...]


class StoredTensor(Value):
    """A named tensor and where its pieces are; dtypes have torch's names, such as ``float32``."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: tuple[Piece, ...] = Field(min_length=1)


class StoredFile(Value):
    """A file of the checkpoint, with what it takes to notice damage."""

    name: FileName
    size_bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Progress(Value):
    """How far the run is: what the loader, the schedule and the clock need to go on."""

    step: int = Field(ge=0)
    """Optimizer steps done; the loader's next row is step * rows."""
    tokens: int = Field(default=0, ge=0)
    """Document tokens trained on."""
    elapsed_s: float = Field(default=0.0, ge=0)
    """Training time so far."""
    recent_losses: tuple[float, ...] = ()
    """What a spike is compared with."""


class Header(Value):
    """What the trainer says about a checkpoint; the writer adds the rest of its manifest."""

    format: Literal["stretto.checkpoint/1"] = "stretto.checkpoint/1"
    progress: Progress
    shape: ModelShape
    config: dict[str, object]
    """The resolved run configuration."""
    config_digest: str


class Manifest(Header):
    """Everything in one checkpoint folder."""

    tensors: tuple[StoredTensor, ...]
    files: tuple[StoredFile, ...]
    torch_version: str
    stretto_version: str
