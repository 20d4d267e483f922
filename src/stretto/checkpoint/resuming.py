"""What `--resume latest|PATH` opens, and why it may refuse.

A run goes on from its own latest checkpoint, or from any checkpoint of another run. Going on from an older one of
its own would leave two histories in one folder, of which "latest" is the wrong one; a new run folder branches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from stretto.checkpoint import folders
from stretto.checkpoint.group import Group, OneRank, together
from stretto.checkpoint.reading import StoredCheckpoint, open_checkpoint
from stretto.spec.errors import UserError
from stretto.spec.shape import ModelShape


def resolve_resume(
    run_folder: Path, resume: str, shape: ModelShape | None = None, group: Group | None = None
) -> StoredCheckpoint:
    """Open the checkpoint that a run shall go on from.

    Args:
        run_folder: where the run writes.
        resume: ``latest``, or a checkpoint folder or run folder.
        shape: of the run's model, which the checkpoint's must equal; None to take whatever it has.
        group: the ranks that all call this (see `open_checkpoint`).

    Raises:
        UserError: there is no checkpoint, it is damaged, is not the latest of this run, or holds another model.
    """
    ranks = group or OneRank()
    folder = together(ranks, lambda: _latest(run_folder) if resume == "latest" else _chosen(run_folder, Path(resume)))
    try:
        stored = open_checkpoint(folder, ranks)
    except UserError as error:
        raise UserError(f"{error}{_earlier(run_folder, folder)}") from None
    difference = first_difference(stored.manifest.shape, shape) if shape else None
    if difference is not None:
        field, there, here = difference
        raise UserError(
            f"{folder} holds another model: {field} is {there!r} there and {here!r} in this run; "
            "resume with the model it was written with, or start a new run."
        )
    return stored


def first_difference(a: ModelShape, b: ModelShape) -> tuple[str, object, object] | None:
    """The first field in which two shapes differ, with both values; None where they are equal."""
    return _difference("", a.model_dump(), b.model_dump())


def _difference(path: str, a: object, b: object) -> tuple[str, object, object] | None:
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys():
        inner = [(str(key), a[key], b[key]) for key in cast("Mapping[str, object]", a)]
    elif isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str):
        if len(a) != len(b):
            return f"the number of {path}", len(a), len(b)
        inner = [(str(i), x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        return (path, a, b) if a != b else None
    found = (_difference(f"{path}.{key}" if path else key, x, y) for key, x, y in inner)
    return next((difference for difference in found if difference), None)


def _latest(run_folder: Path) -> Path:
    found = folders.latest(run_folder)
    if found is None:
        raise UserError(f"{run_folder} holds no complete checkpoint to resume from; start it without --resume.")
    return found


def _chosen(run_folder: Path, path: Path) -> Path:
    folder = folders.find(path)
    newest = folders.latest(run_folder)
    own = newest is not None and folder.resolve().parent == newest.resolve().parent
    if own and newest is not None and folder.resolve() != newest.resolve():
        raise UserError(
            f"{folder} is not the latest checkpoint of {run_folder}, which is {newest.name}; "
            "give the run another folder to branch off, or move the later checkpoints away."
        )
    return folder


def _earlier(run_folder: Path, damaged: Path) -> str:
    """Which intact-looking checkpoint is left, for the end of a sentence about a damaged one."""
    others = [folder for folder in folders.complete(run_folder) if folder != damaged]
    return f" Move {damaged.name} away to resume from {others[-1].name}." if others else ""
