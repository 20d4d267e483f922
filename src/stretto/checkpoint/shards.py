"""One rank's tensors as safetensors files: one file for each first part of their names.

``model/embed.weight`` goes to ``model-00000.safetensors`` and ``optimizer/embed.weight/mean`` to
``optimizer-00000.safetensors``, so that who only wants the model opens (and checks) only its files. The format is
safetensors' own (https://huggingface.co/docs/safetensors), written from the tensors' memory without a copy where they
are contiguous and on the CPU; tensors on another device are copied to the CPU first. Nothing is pickled.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.checkpoint.boxes import Box, show, sizes, whole
from stretto.checkpoint.dtypes import ELEMENT_TYPES
from stretto.spec.errors import StrettoError
from stretto.spec.manifest import Piece, StoredTensor

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class OwnedPiece:
    """A part of a named tensor that this rank, and no other, writes.

    Attributes:
        name: such as ``model/embed.weight``.
        tensor: the values, as wide as `intervals`; any device.
        shape: of the whole tensor.
        intervals: what the values are of it, ``(start, stop)`` per dim; () for a 0-d tensor.
    """

    name: str
    tensor: Tensor
    shape: tuple[int, ...]
    intervals: Box


def whole_piece(name: str, tensor: Tensor) -> OwnedPiece:
    """A tensor that one rank writes as a whole."""
    shape = tuple(tensor.shape)
    return OwnedPiece(name, tensor, shape, whole(shape))


def plan_shards(pieces: Sequence[OwnedPiece], rank: int) -> dict[str, dict[str, OwnedPiece]]:
    """Which piece is stored under which key of which file; a name's second piece has the key ``NAME#1``.

    Raises:
        StrettoError: a piece does not fit its intervals, or its elements are of no type that is stored.
    """
    files: dict[str, dict[str, OwnedPiece]] = defaultdict(dict)
    seen: dict[str, int] = defaultdict(int)
    for piece in pieces:
        _check(piece)
        turn = seen[piece.name]
        seen[piece.name] += 1
        key = f"{piece.name}#{turn}" if turn else piece.name
        files[f"{piece.name.partition('/')[0]}-{rank:05d}.safetensors"][key] = piece
    return dict(files)


def write_shard(path: Path, pieces: dict[str, OwnedPiece]) -> None:
    """Write one safetensors file; it is not durable before `durable.seal`.

    Raises:
        OSError: what the file system said.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {key: piece.tensor.detach().cpu().contiguous() for key, piece in pieces.items()}
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise _as_os_error(error, path) from error


def describe(files: dict[str, dict[str, OwnedPiece]]) -> Iterator[StoredTensor]:
    """The manifest's entry for every piece of a plan, one piece each."""
    for file, pieces in files.items():
        for key, piece in pieces.items():
            stored = Piece(file=file, key=key, intervals=piece.intervals)
            yield StoredTensor(name=piece.name, dtype=_dtype(piece.tensor), shape=piece.shape, pieces=(stored,))


def _check(piece: OwnedPiece) -> None:
    if tuple(piece.tensor.shape) != sizes(piece.intervals):
        raise StrettoError(
            f"piece {show(piece.intervals)} of tensor {piece.name} has the shape {tuple(piece.tensor.shape)}; "
            f"expected {sizes(piece.intervals)}."
        )
    if _dtype(piece.tensor) not in ELEMENT_TYPES:
        known = ", ".join(ELEMENT_TYPES)
        raise StrettoError(f"tensor {piece.name} is {_dtype(piece.tensor)}; a checkpoint stores {known}.")


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _as_os_error(error: Exception, path: Path) -> OSError:
    """What safetensors reports as text, such as ``... (os error 28)``, as the error it was."""
    code = re.search(r"os error (\d+)", str(error))
    if code is None:
        return OSError(f"{path.name}: {error}")
    return OSError(int(code.group(1)), os.strerror(int(code.group(1))), str(path))
