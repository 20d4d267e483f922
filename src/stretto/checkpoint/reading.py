"""Reading a checkpoint under any cut, whoever wrote it.

`StoredCheckpoint.read` assembles an interval of a tensor from whatever pieces cover it, through memory maps: it
allocates what is asked for and touches no more of the disk. Before a file's first value is used its bytes are held
against their SHA-256, because training on from a flipped bit is worse than stopping; a group of ranks shares that
work, one file a rank in turn. Cost: reading plus 1.4 GB/s a core of hashing. Torch is loaded by the first `read`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.checkpoint import boxes, folders
from stretto.checkpoint.dtypes import ELEMENT_TYPES
from stretto.checkpoint.durable import sha256_of
from stretto.checkpoint.group import Group, agree
from stretto.spec.errors import UserError, nearest
from stretto.spec.manifest import Manifest, Piece, StoredFile, StoredTensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

latest = folders.latest


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """An open checkpoint.

    Attributes:
        path: its folder.
        manifest: what it holds.
    """

    path: Path
    manifest: Manifest
    _tensors: dict[str, StoredTensor] = field(repr=False)
    _open_shards: dict[str, Any] = field(repr=False)
    _hashed: set[str] = field(repr=False)

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """The names of the tensors that begin with `prefix`, such as ``model/``, in the order of the manifest."""
        return tuple(name for name in self._tensors if name.startswith(prefix))

    def stored(self, name: str) -> StoredTensor:
        """What the manifest says of a tensor: its dtype, global shape and pieces.

        Raises:
            UserError: the checkpoint has no such tensor.
        """
        found = self._tensors.get(name)
        if found is None:
            near = nearest(name, self._tensors)
            hint = f"did you mean {near!r}?" if near else f"it has {len(self._tensors)} others"
            raise UserError(f"{self.path} has no tensor {name!r} ({hint}).")
        return found

    def read(
        self,
        name: str,
        intervals: Sequence[tuple[int, int]] | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """A tensor, or the box `intervals` of it, as a new tensor.

        Args:
            name: such as ``model/embed.weight``.
            intervals: ``(start, stop)`` per dim of the global shape; the whole tensor by default.
            dtype: to convert to; the stored one by default.
            device: to load to; the CPU by default.

        Raises:
            UserError: no such tensor, an interval outside it, or a damaged file, naming it and the tensor.
        """
        import torch

        tensor = self.stored(name)
        box = boxes.whole(tensor.shape) if intervals is None else tuple(intervals)
        self._check(tensor, box)
        parts = [(piece, part) for piece in tensor.pieces if (part := boxes.common(piece.intervals, box)) is not None]
        entries = [self._entry(tensor, piece) for piece, _ in parts]
        out = torch.empty(boxes.sizes(box), dtype=dtype or getattr(torch, tensor.dtype), device=device)
        for (piece, part), entry in zip(parts, entries, strict=True):
            out[boxes.slices(part, box)].copy_(entry[boxes.slices(part, piece.intervals)])
        return out

    def check_hashes(self, names: Sequence[str] | None = None) -> None:
        """Hold files (all of them by default) against their SHA-256, those already held excepted.

        Raises:
            UserError: naming the first file that differs.
        """
        for file in self.manifest.files:
            if file.name not in self._hashed and (names is None or file.name in names):
                _check_hash(self.path, file)
                self._hashed.add(file.name)

    def _check(self, tensor: StoredTensor, box: boxes.Box) -> None:
        where = f"{self.path / folders.MANIFEST}: of tensor {tensor.name}"
        if tensor.dtype not in ELEMENT_TYPES:
            raise UserError(f"{where}, the dtype is {tensor.dtype!r}; expected one of {', '.join(ELEMENT_TYPES)}.")
        if not boxes.inside(box, tensor.shape):
            raise UserError(f"{where}, {boxes.show(box)} was asked for; its shape is {list(tensor.shape)}.")
        fault = boxes.tiling_fault(tensor.shape, (piece.intervals for piece in tensor.pieces))
        if fault is not None:
            raise UserError(f"{where}, {fault}.")

    def _entry(self, tensor: StoredTensor, piece: Piece) -> Any:
        """One piece in its mapped file, after a look at what the file says it is; no value is read yet."""
        where = f"{self.path / piece.file}, tensor {tensor.name}"
        shard = self._shard(piece.file)
        if piece.key not in shard.keys():  # noqa: SIM118 (a shard is no dictionary)
            raise UserError(f"{where}: the file has no entry {piece.key!r}.")
        entry = shard.get_slice(piece.key)
        found, expected = tuple(entry.get_shape()), boxes.sizes(piece.intervals)
        if found != expected:
            raise UserError(f"{where}: the file's entry has the shape {list(found)}; expected {list(expected)}.")
        if entry.get_dtype() != ELEMENT_TYPES[tensor.dtype].code:
            raise UserError(f"{where}: the file's entry is {entry.get_dtype()}; expected {tensor.dtype}.")
        return entry

    def _shard(self, name: str) -> Any:
        if name not in self._open_shards:
            if not any(file.name == name for file in self.manifest.files):
                raise UserError(f"{self.path / folders.MANIFEST}: {name} holds tensors but is not among the files.")
            self.check_hashes([name])
            self._open_shards[name] = _open_shard(self.path / name)
        return self._open_shards[name]


def open_checkpoint(path: Path, group: Group | None = None) -> StoredCheckpoint:
    """Open a checkpoint folder, or the latest complete checkpoint of a run folder.

    Args:
        path: either of them.
        group: ranks that all call this: they hash the files between them now, each file once, and raise the same
            error. Without it a file is hashed when it is first read from.

    Raises:
        UserError: there is no checkpoint, its manifest is damaged, or a file is missing, cut short or changed.
    """
    if group is None:
        return _open(path)
    stored, failure = None, ""
    try:
        stored = _open(path)
        stored.check_hashes([file.name for file in stored.manifest.files[group.rank :: group.ranks]])
    except UserError as error:
        failure = str(error)
    agree(group, failure, UserError)
    assert stored is not None
    stored._hashed.update(file.name for file in stored.manifest.files)
    return stored


def _open(path: Path) -> StoredCheckpoint:
    folder = folders.find(path)
    manifest = folders.read_manifest(folder)
    for file in manifest.files:
        check_size(folder, file)
    return StoredCheckpoint(folder, manifest, {tensor.name: tensor for tensor in manifest.tensors}, {}, set())


def check_size(folder: Path, file: StoredFile) -> None:
    """Refuse a file that is missing or has another size than the manifest says.

    Raises:
        UserError: naming it.
    """
    try:
        size = (folder / file.name).stat().st_size
    except OSError as error:
        raise UserError(f"{folder / file.name} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    if size != file.size_bytes:
        raise UserError(f"{folder / file.name} is damaged: it has {size} bytes; expected {file.size_bytes}.")


def _check_hash(folder: Path, file: StoredFile) -> None:
    try:
        found = sha256_of(folder / file.name)
    except OSError as error:
        raise UserError(f"{folder / file.name} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    if found != file.sha256:
        raise UserError(
            f"{folder / file.name} is damaged: its SHA-256 is {found[:16]}...; expected {file.sha256[:16]}..."
        )


def _open_shard(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is no readable safetensors file: {error}.") from None
