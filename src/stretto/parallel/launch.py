"""Local ranks: start them, hand them a function, bring back what they return or the sentence of what went wrong.

torch's elastic launcher starts and watches the processes. A rank that fails leaves a note of why in a shared folder
before it ends, so that one sentence reaches the caller instead of a traceback a rank; a rank that was killed leaves
none, and is named by its signal.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stretto.spec.environment import launched_ranks, launcher_leaves_signals
from stretto.spec.errors import StrettoError, UserError

if TYPE_CHECKING:
    from torch.distributed.launcher.api import LaunchConfig

R = TypeVar("R")
_TRANSPORTS = ("gloo", "NCCL", "c10d")
_UNGUARDED = "a script that starts ranks must do so under `if __name__ == '__main__':`."


class Interrupted(StrettoError):
    """The run was asked to stop by a signal; `exit_code` is the shell's for it."""

    def __init__(self, sentence: str, signal_number: int) -> None:
        super().__init__(sentence)
        self.exit_code = 128 + signal_number


def launch(function: Callable[..., R], ranks: int, *args: Any) -> list[R]:
    """Run ``function(*args)`` on `ranks` new processes of this machine.

    Args:
        function: importable by name (defined at the top of a module), as are the arguments' types. Inside it,
            `parallel.world.join_world` gives the rank's place among the others.
        ranks: how many processes.
        *args: what every rank is called with.

    Returns:
        What the ranks returned, in rank order.

    Raises:
        StrettoError: a rank failed; the sentence is the rank's own where it left one.
        Interrupted: this process was told to stop, and the ranks have ended.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    _check_sendable(function, args)
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what a rank left behind says it better
    with tempfile.TemporaryDirectory(prefix="stretto-ranks-") as notes, _signals_to_ranks():
        try:
            results = elastic_launch(_config(ranks), _rank)(notes, function, args)
        except ChildFailedError as error:
            raise _failure(Path(notes), error) from None
        except SignalException as error:
            raise _interruption(Path(notes), error.sigval) from None
    return [results[rank] for rank in range(ranks)]


def _config(ranks: int) -> LaunchConfig:
    from torch.distributed.launcher.api import LaunchConfig

    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.1,
        start_method="spawn",
    )


@contextmanager
def _signals_to_ranks() -> Iterator[None]:
    """Pass SIGINT and SIGTERM on to the ranks, which save and end, however long that takes.

    The launcher's own way is to kill them half a minute later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, _frame: object) -> None:
        for child in multiprocessing.active_children():
            if child.pid is not None and child.is_alive():
                os.kill(child.pid, number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with launcher_leaves_signals(), _interrupts_wait(pass_on):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _interrupts_wait(pass_on: Callable[[int, object], None]) -> Iterator[None]:
    """Let a Ctrl-C that comes while ranks still load wait until `_rank` can answer it: they inherit the signal mask.

    Where a system cannot wait for a blocked signal (macOS), nothing is blocked: such ranks show Python's traceback.
    """
    if not hasattr(signal, "sigtimedwait"):
        yield
        return
    resource_tracker.ensure_running()  # first, since starting it unblocks SIGINT
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    over = threading.Event()
    listener = threading.Thread(target=_listen, args=(over, pass_on), daemon=True)
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _listen(over: threading.Event, pass_on: Callable[[int, object], None]) -> None:
    """Pass on the SIGINTs that are blocked everywhere else in this process, until it is over."""
    while not over.is_set():
        if signal.sigtimedwait([signal.SIGINT], 0.1) is not None:
            pass_on(signal.SIGINT, None)


def _check_sendable(function: Callable[..., object], args: tuple[Any, ...]) -> None:
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A rank that imports the caller's script has come to the same call: nobody may start ranks from here.
        sys.exit(f"stretto: {_UNGUARDED}")
    try:
        ForkingPickler.dumps((function, args))
    except Exception as error:
        name = getattr(function, "__qualname__", repr(function))
        raise UserError(
            f"{name} or its arguments cannot be sent to other ranks ({error}); expected functions that are defined at "
            "the top of a module."
        ) from None


def _rank(notes: str, function: Callable[..., R], args: tuple[Any, ...]) -> R:
    """What a rank runs: the function, with every failure noted before the process ends."""
    place = launched_ranks()
    name = Path(notes) / f"{place.rank if place else 0}.json"
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        return function(*args)
    except StrettoError as error:
        kind = type(error).__name__
        name.write_text(json.dumps({"kind": kind, "sentence": str(error), "exit_code": error.exit_code}))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sentence = "stopped by SIGINT before there was anything to save."
        name.write_text(json.dumps({"kind": "Interrupted", "sentence": sentence, "exit_code": 128 + signal.SIGINT}))
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        kind = "lost peer" if any(word in str(error) for word in _TRANSPORTS) else "crash"
        name.write_text(json.dumps({"kind": kind, "sentence": traceback.format_exc(), "exit_code": 1}))
        sys.exit(1)


def _failure(notes: Path, error: Any) -> StrettoError:  # noqa: PLR0911 (a list of cases, the first that fits)
    """One error for all ranks: a user's mistake before a failure of ours, a failure before its consequences."""
    left = [json.loads(path.read_text()) | {"rank": int(path.stem)} for path in sorted(notes.glob("*.json"))]
    killed = [(rank, f.exitcode) for rank, f in error.failures.items() if f.exitcode < 0]
    if not left and any(-code in (signal.SIGINT, signal.SIGTERM) for _, code in killed):
        return Interrupted("stopped by a signal before there was anything to save.", -killed[0][1])
    for note in left:
        if note["kind"] == "Interrupted":
            return Interrupted(note["sentence"], note["exit_code"] - 128)
    for note in left:
        if note["kind"] == "UserError":
            return UserError(note["sentence"])
    for note in left:
        if note["kind"] not in ("crash", "lost peer"):
            return StrettoError(note["sentence"])
    if killed:
        rank, code = killed[0]
        return StrettoError(f"rank {rank} was killed by {signal.Signals(-code).name}.")
    for note in sorted(left, key=lambda note: note["kind"]):  # a crash comes before the peers that it lost
        return StrettoError(f"rank {note['rank']} failed:\n{note['sentence']}")
    rank, first = next(iter(error.failures.items()))
    return StrettoError(f"rank {rank} ended with exit code {first.exitcode} and left no reason; {_UNGUARDED}")


def _interruption(notes: Path, number: signal.Signals) -> StrettoError:
    left = [json.loads(path.read_text()) for path in sorted(notes.glob("*.json"))]
    said = [note["sentence"] for note in left if note["kind"] == "Interrupted"]
    return Interrupted(said[0] if said else f"stopped by {signal.Signals(number).name}.", int(number))
