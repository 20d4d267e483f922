"""Which checkpoints a run folder holds, and how one appears and disappears as a whole.

A checkpoint is ``RUN/checkpoints/step-00000500`` with a ``manifest.json``; without the manifest it does not exist. It
is made under a hidden name and renamed when complete, and renamed to a hidden name before it is deleted, because a
rename within a folder is the one change a file system makes at once. Whatever a killed process leaves has a hidden
name, and the next write removes it. Torch-free.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from stretto.data.disk import sync
from stretto.spec.errors import UserError
from stretto.spec.manifest import Manifest
from stretto.spec.value import load_json

MANIFEST = "manifest.json"
_FOLDER = "checkpoints"
_STEP = re.compile(r"step-(\d{8,})")
_WRITING, _REMOVING = ".writing-", ".removing-"


def folder_of(run_folder: Path, step: int) -> Path:
    """Where the checkpoint of `step` belongs."""
    return run_folder / _FOLDER / f"step-{step:08d}"


def step_of(folder: Path) -> int | None:
    """The step in a checkpoint folder's name; None for any other name."""
    match = _STEP.fullmatch(folder.name)
    return int(match.group(1)) if match else None


def staging_of(folder: Path) -> Path:
    """The hidden folder beside `folder` in which it is made."""
    return folder.with_name(_WRITING + folder.name)


def complete(run_folder: Path) -> tuple[Path, ...]:
    """The complete checkpoints of a run, oldest first; none where the folder is missing.

    Raises:
        UserError: the folder exists and cannot be listed.
    """
    parent = run_folder / _FOLDER
    try:
        found = [p for p in parent.iterdir() if step_of(p) is not None and (p / MANIFEST).is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise UserError(f"{parent} cannot be listed: {error.strerror}.") from None
    return tuple(sorted(found, key=lambda p: step_of(p) or 0))


def latest(run_folder: Path) -> Path | None:
    """The complete checkpoint of the highest step; None where there is none."""
    return next(reversed(complete(run_folder)), None)


def find(path: Path) -> Path:
    """The checkpoint folder that `path` means: itself, or the latest one of a run folder.

    Raises:
        UserError: there is none, with what `path` seems to be instead.
    """
    if (path / MANIFEST).is_file():
        return path
    run_folder = path.parent if path.name == _FOLDER else path
    found = latest(run_folder)
    if found is None:
        raise UserError(_no_checkpoint(path))
    return found


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint folder.

    Raises:
        UserError: it is missing, damaged, or was written in another format.
    """
    return load_json(Manifest, folder / MANIFEST, "the manifest of a Stretto checkpoint")


def clear_leftovers(folder: Path) -> None:
    """Remove what killed writers and removers left beside `folder`, and `folder` itself where it has no manifest."""
    for entry in sorted(folder.parent.iterdir()):
        if entry.name.startswith((_WRITING, _REMOVING)):
            _delete(entry)
    if folder.exists() and not (folder / MANIFEST).is_file():
        remove(folder)


def remove(folder: Path) -> None:
    """Make a checkpoint invisible at once, then delete it."""
    hidden = folder.with_name(_REMOVING + folder.name)
    folder.rename(hidden)
    sync(folder.parent)
    _delete(hidden)


def keep_newest(run_folder: Path, keep: int) -> None:
    """Remove all but the `keep` (at least 1) newest complete checkpoints, oldest first."""
    for folder in complete(run_folder)[: -max(keep, 1)]:
        remove(folder)


def _delete(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


def _no_checkpoint(path: Path) -> str:
    wanted = f"expected a checkpoint folder (with {MANIFEST}) or a run folder with a complete checkpoint"
    if not path.exists():
        return f"{path} does not exist; {wanted}."
    if not path.is_dir():
        near = f" (did you mean {str(path.parent)!r}?)" if (path.parent / MANIFEST).is_file() else ""
        return f"{path} is a file; {wanted}{near}."
    if (path / _FOLDER).is_dir() or path.name == _FOLDER:
        return f"{path} holds no complete checkpoint; {wanted}."
    if step_of(path) is not None:
        return f"{path} has no {MANIFEST}, so it is no complete checkpoint; {wanted}."
    if (path / "config.json").is_file():
        return f"{path} looks like a Hugging Face model, not like a Stretto checkpoint; {wanted}."
    return f"{path} is no Stretto checkpoint; {wanted}."
