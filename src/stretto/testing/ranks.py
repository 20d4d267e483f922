"""Ranks for tests: a fork server with torch loaded once, and functions run on N fresh ranks of it.

A rank starts in some hundredths of a second; a failure is raised in the test with the rank's own traceback.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

_PRELOAD = ["torch", "torch.distributed", "stretto.train.step", "stretto.checkpoint.writing"]


class Ranks:
    """Runs functions on several gloo ranks of this machine."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)

    def run(self, ranks: int, function: Callable[..., Any], *args: Any, timeout_s: float = 60.0) -> list[Any]:
        """Call ``function(world, *args)`` on `ranks` ranks and return what they returned, in rank order.

        Args:
            ranks: how many.
            function: importable by name; its first argument is a `parallel.world.World`.
            *args: sent to every rank.
            timeout_s: for every collective, and for the whole call.

        Raises:
            RankFailed: with the traceback of the first rank that raised.
        """
        with tempfile.TemporaryDirectory(prefix="stretto-test-") as folder:
            store = str(Path(folder) / "store")
            pipes = [self._context.Pipe() for _ in range(ranks)]
            processes = [
                self._context.Process(
                    target=_rank, args=(rank, ranks, store, pipes[rank][1], timeout_s, function, args)
                )
                for rank in range(ranks)
            ]
            for process in processes:
                process.start()
            for _, writer in pipes:
                writer.close()
            answers = [_answer(reader, timeout_s) for reader, _ in pipes]
            for reader, _ in pipes:
                reader.close()
            for process in processes:
                process.join(5)
                process.kill()
                process.join()
        failures = [(rank, text) for rank, (good, text) in enumerate(answers) if not good]
        if failures:
            first = next(
                (f for f in failures if "Connection closed" not in f[1] and "no answer" not in f[1]), failures[0]
            )
            raise RankFailed(f"rank {first[0]}:\n{first[1]}")
        return [value for _, value in answers]


class RankFailed(AssertionError):
    """A rank raised; the message is its traceback."""


def _answer(reader: Any, timeout_s: float) -> tuple[bool, Any]:
    try:
        return reader.recv() if reader.poll(timeout_s) else (False, f"no answer within {timeout_s} s")
    except EOFError:
        return False, "no answer: the process ended"


def _wait_until_read(writer: Any) -> None:
    """Stay until the test has closed its end: tensors are handed over through this process's file descriptors."""
    with contextlib.suppress(EOFError, OSError):
        writer.recv()


def _rank(
    rank: int, ranks: int, store: str, writer: Any, timeout_s: float, function: Callable[..., Any], args: Any
) -> None:
    import torch
    import torch.distributed as dist

    from stretto.parallel.world import World

    torch.set_num_threads(1)
    try:
        dist.init_process_group(
            "gloo", init_method=f"file://{store}", rank=rank, world_size=ranks, timeout=timedelta(seconds=timeout_s)
        )
        writer.send((True, function(World(rank, ranks, rank, ranks, torch.device("cpu")), *args)))
        dist.barrier()
        _wait_until_read(writer)
    except BaseException:
        writer.send((False, traceback.format_exc()))
    writer.close()
    os._exit(0)
