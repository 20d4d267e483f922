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
from stretto.checkpoint.group import Group, together
from stretto.checkpoint.intact import check_hash, check_shape, check_size, check_tensor, entry_of, open_shard
from stretto.spec.errors import UserError, nearest
from stretto.spec.manifest import Manifest, StoredTensor
from stretto.spec.parameters import parameters

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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
        manifest_path = self.path / folders.MANIFEST
        check_tensor(manifest_path, tensor)
        if not boxes.inside(box, tensor.shape):
            shape = list(tensor.shape)
            raise UserError(f"{manifest_path}: {boxes.show(box)} of tensor {name} was asked for; its shape is {shape}.")
        parts = [(piece, part) for piece in tensor.pieces if (part := boxes.common(piece.intervals, box)) is not None]
        entries = [entry_of(self._shard(piece.file), self.path, tensor, piece) for piece, _ in parts]
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
                check_hash(self.path, file)
                self._hashed.add(file.name)

    def _shard(self, name: str) -> Any:
        if name not in self._open_shards:
            if not any(file.name == name for file in self.manifest.files):
                raise UserError(f"{self.path / folders.MANIFEST}: {name} holds tensors but is not among the files.")
            self.check_hashes([name])
            self._open_shards[name] = open_shard(self.path / name, "pt")
        return self._open_shards[name]


def open_checkpoint(path: Path, group: Group | None = None) -> StoredCheckpoint:
    """Open a checkpoint folder, or the latest complete checkpoint of a run folder.

    Args:
        path: either of them.
        group: ranks that all call this: they hash the files between them now, each file once, and raise the same
            error. Without it a file is hashed when it is first read from.

    Raises:
        UserError: there is no checkpoint, its manifest is damaged, a weight has another shape than the manifest's
            model gives it, or a file is missing, cut short or changed.
    """
    return _open(path) if group is None else together(group, lambda: _open_checked(path, group.rank, group.ranks))


def _open(path: Path) -> StoredCheckpoint:
    folder = folders.find(path)
    manifest = folders.read_manifest(folder)
    for file in manifest.files:
        check_size(folder, file)
    table = {parameter.name: parameter.shape for parameter in parameters(manifest.shape)}
    for tensor in manifest.tensors:
        check_shape(folder / folders.MANIFEST, tensor, table)
    return StoredCheckpoint(folder, manifest, {tensor.name: tensor for tensor in manifest.tensors}, {}, set())


def _open_checked(path: Path, rank: int, ranks: int) -> StoredCheckpoint:
    """Hash this rank's share of the files and trust the other ranks with theirs."""
    stored = _open(path)
    names = [file.name for file in stored.manifest.files]
    stored.check_hashes(names[rank::ranks])
    stored._hashed.update(names)
    return stored
