"""A run's folder: claimed once, never overwritten, and its metrics, one JSON line a record.

Holds config.json (the resolved configuration), metrics.jsonl, checkpoints/ and, where asked for, trace.json and
TensorBoard's events.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stretto.checkpoint.durable import write_file
from stretto.spec.errors import StrettoError, UserError
from stretto.spec.run.config import RunConfig
from stretto.spec.value import dump_json

CONFIG_FILE, METRICS_FILE, TRACE_FILE = "config.json", "metrics.jsonl", "trace.json"


def holds_run(folder: Path) -> bool:
    """Whether a run has written into `folder`."""
    return (folder / CONFIG_FILE).exists() or (folder / METRICS_FILE).exists()


def claim(config: RunConfig, own: bool) -> None:
    """Make the run's folder, or take over the one that the run goes on in (`own`).

    Raises:
        UserError: it holds another run, or something else is in its place.
        StrettoError: it cannot be written to.
    """
    folder = config.folder
    if holds_run(folder) and not own:
        raise UserError(
            f"{folder} holds a run already and is never overwritten: go on with --resume latest, or choose another "
            "with --folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{CONFIG_FILE}.new"
        write_file(beside, dump_json(config).encode())
        beside.replace(folder / CONFIG_FILE)
    except FileExistsError:
        raise UserError(f"folder is {str(folder)!r}; expected a folder, and a file is there.") from None
    except NotADirectoryError:
        raise UserError(f"folder is {str(folder)!r}; expected a folder, and a part of its path is a file.") from None
    except OSError as error:
        raise StrettoError(f"{folder} cannot be written to: {error.strerror}.") from None


def check_tensorboard() -> None:
    """Say early that TensorBoard is missing.

    Raises:
        UserError: it is.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("metrics.tensorboard is True, which needs TensorBoard: pip install 'stretto[tensorboard]'.")


class MetricsLog:
    """Appends records to metrics.jsonl, and to TensorBoard where asked to."""

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        """Open the log of `folder`; records after `step`, which a resumed run will write again, are dropped."""
        path = folder / METRICS_FILE
        try:
            if path.exists():
                _keep_until(path, step)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise StrettoError(f"{path} cannot be written: {error.strerror}.") from None
        self._board = _summary_writer(folder, step) if tensorboard else None

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record; it must have a `step`.

        Raises:
            StrettoError: the disk is full or the folder is gone.
        """
        try:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        except OSError as error:
            raise StrettoError(f"{self._file.name} cannot be written: {error.strerror}.") from None
        if self._board is not None:
            for name, value in record.items():
                if name != "step":
                    self._board.add_scalar(name, value, record["step"])

    def close(self) -> None:
        """Finish what is buffered."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _keep_until(path: Path, step: int) -> None:
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step_of(line) <= step]
    beside = path.with_suffix(".tmp")
    beside.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    beside.replace(path)


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return float("inf")  # a line cut short by a kill


def _summary_writer(folder: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
