"""Writing a checkpoint from many ranks: pieces, manifest, one rename.

1. Rank 0 clears what killed writers left and makes the hidden folder ``.writing-step-N``.
2. Every rank writes its pieces there and makes them durable.
3. Rank 0 gathers what was written, checks that the pieces tile every tensor, writes the manifest last, and renames
   the folder to ``step-N``. Before the rename nothing of it is visible; after it, everything is on the disk.
4. Rank 0 removes checkpoints beyond the newest `keep`.

A failure anywhere becomes the same sentence on every rank. Cost: one write, one hash in its shadow (`durable.seal`),
and while step 4 has not run the room of one checkpoint more than `keep`.
"""

from __future__ import annotations

import errno
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from stretto import __version__
from stretto.checkpoint import boxes, folders
from stretto.checkpoint.durable import seal, write_file
from stretto.checkpoint.group import Group
from stretto.checkpoint.shards import OwnedPiece, describe, plan_shards, write_shard
from stretto.data.disk import sync
from stretto.spec.errors import StrettoError
from stretto.spec.manifest import Header, Manifest, StoredFile, StoredTensor
from stretto.spec.value import Value, dump_json


class _Report(Value):
    """What one rank wrote, or why it could not."""

    failure: str = ""
    tensors: tuple[StoredTensor, ...] = ()
    files: tuple[StoredFile, ...] = ()


def write(
    run_folder: Path,
    header: Header,
    pieces: Sequence[OwnedPiece],
    extra_files: Mapping[str, bytes],
    group: Group,
    *,
    keep: int | None = None,
) -> Path:
    """Write the checkpoint of ``header.progress.step`` and make it visible; every rank of `group` calls this.

    Args:
        run_folder: an existing folder that all ranks see.
        header: what the manifest says beside tensors and files; rank 0's counts.
        pieces: what this rank owns; over all ranks they tile every tensor.
        extra_files: name and content of what makes the checkpoint self-contained (tokenizer.json); rank 0's count.
        group: the ranks that write together.
        keep: remove all but this many newest checkpoints afterwards; None to keep every one.

    Returns:
        The checkpoint's folder.

    Raises:
        StrettoError: it could not be written (full disk, read-only or vanished folder, a step that is already
            there); no rank's half checkpoint is visible and earlier ones are untouched.
    """
    target = folders.folder_of(run_folder, header.progress.step)
    first = group.rank == 0
    _settle(group, _attempt(lambda: _prepare(target)) if first else None, target)
    report, failure = _store(folders.staging_of(target), pieces, group.rank)
    reports = group.gather(report.model_dump_json())
    if reports is not None:
        failure = _attempt(lambda: _publish(target, header, extra_files, reports))
    _settle(group, failure, target)
    if keep is not None:
        _settle(group, _attempt(lambda: folders.keep_newest(run_folder, keep)) if first else None, target, saved=True)
    return target


def _prepare(target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    sync(target.parent.parent)
    folders.clear_leftovers(target)
    if target.exists():
        raise StrettoError("it is already there, and a checkpoint is never overwritten")
    folders.staging_of(target).mkdir()


def _store(staging: Path, pieces: Sequence[OwnedPiece], rank: int) -> tuple[_Report, Exception | None]:
    """Write this rank's files durably; a failure is in the report, for rank 0 to hear of it."""
    try:
        files = plan_shards(pieces, rank)
        for name, stored in files.items():
            write_shard(staging / name, stored)
        sealed = seal(staging / name for name in files)
    except Exception as error:
        where = f"on rank {rank}, {_why(error, staging)}" if rank else _why(error, staging)
        return _Report(failure=where), error
    return _Report(tensors=tuple(describe(files)), files=tuple(sealed)), None


def _publish(target: Path, header: Header, extra_files: Mapping[str, bytes], reports: Sequence[str]) -> None:
    """Write the manifest and give the folder its name; after a failure nothing of it is left."""
    staging = folders.staging_of(target)
    try:
        manifest = _manifest(header, [_Report.model_validate_json(report) for report in reports])
        extra = tuple(write_file(staging / name, data) for name, data in extra_files.items())
        manifest = manifest.model_copy(update={"files": manifest.files + extra})
        write_file(staging / folders.MANIFEST, dump_json(manifest, indent=None).encode())
        sync(staging)
        staging.rename(target)
        sync(target.parent)
    except Exception as error:
        why = _why(error, staging)
        shutil.rmtree(staging, ignore_errors=True)
        raise StrettoError(why) from error


def _manifest(header: Header, reports: Sequence[_Report]) -> Manifest:
    failure = next((report.failure for report in reports if report.failure), None)
    if failure is not None:
        raise StrettoError(failure)
    tensors = _merge(tensor for report in reports for tensor in report.tensors)
    for tensor in tensors:
        fault = boxes.tiling_fault(tensor.shape, (piece.intervals for piece in tensor.pieces))
        if fault is not None:
            raise StrettoError(f"of tensor {tensor.name}, {fault}")
    return Manifest(
        **dict(header),
        tensors=tensors,
        files=tuple(file for report in reports for file in report.files),
        torch_version=version("torch"),
        stretto_version=__version__,
    )


def _merge(parts: Iterable[StoredTensor]) -> tuple[StoredTensor, ...]:
    """One entry a tensor, with the pieces of all ranks."""
    grouped: dict[str, list[StoredTensor]] = defaultdict(list)
    for part in parts:
        grouped[part.name].append(part)
    for name, same in grouped.items():
        kinds = {(part.dtype, part.shape) for part in same}
        if len(kinds) > 1:
            raise StrettoError(f"tensor {name} is {' and '.join(f'{d} {list(s)}' for d, s in sorted(kinds))}")
    return tuple(
        same[0].model_copy(update={"pieces": tuple(piece for part in same for piece in part.pieces)})
        for same in grouped.values()
    )


def _attempt(action: Callable[[], None]) -> Exception | None:
    try:
        action()
    except Exception as error:
        return error
    return None


def _settle(group: Group, failure: Exception | None, target: Path, *, saved: bool = False) -> None:
    """Let every rank go on, or raise what stopped rank 0."""
    why = group.broadcast(_why(failure, target) if failure else "")
    if saved and why:
        raise StrettoError(f"{target} is complete, but an older checkpoint could not be removed: {why}.") from failure
    if why:
        raise StrettoError(f"{target} could not be written: {why}; earlier checkpoints are untouched.") from failure


def _why(error: Exception, folder: Path) -> str:
    """What went wrong as the middle of a sentence, with the free space where space is the matter."""
    if isinstance(error, StrettoError):
        return str(error).removesuffix(".")
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{reason} ({_free_bytes(folder) / 1e6:.1f} MB free)"
    if error.errno == errno.ENOENT:
        missing = next((p for p in reversed([folder, *folder.parents]) if not p.exists()), folder)
        return f"{missing} is not there (all ranks must see the run folder)"
    return reason


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
