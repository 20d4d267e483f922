"""The one place where the environment is read.

What it says never silently wins over a flag or a run file: ranks come from the launcher that started this process
(torchrun's variables), the rest only decides how things look.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from stretto.spec.errors import UserError

_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Who this process is among the ranks of a launcher."""

    rank: int
    local_rank: int
    local_ranks: int
    ranks: int


def launched_ranks() -> Ranks | None:
    """This process's place under torchrun or an equal launcher; None when nothing launched it.

    Raises:
        UserError: some of the launcher's variables are set and others are not, one is no number, or they contradict
            each other.
    """
    texts = {name: os.environ.get(name) for name in _RANK_VARIABLES}
    if not any(texts.values()):
        return None
    given = ", ".join(f"{name}={text}" for name, text in texts.items() if text) or "none"
    try:
        found = Ranks(*(int(text or "missing") for text in texts.values()))
    except ValueError:
        wanted = ", ".join(_RANK_VARIABLES)
        raise UserError(f"the environment sets {given}; expected {wanted} as integers, or none of them.") from None
    if not (0 <= found.local_rank < found.local_ranks <= found.ranks and found.local_rank <= found.rank < found.ranks):
        raise UserError(f"the environment sets {given}; expected ranks below their numbers of ranks.")
    return found


@contextmanager
def launcher_leaves_signals() -> Generator[None]:
    """Tell torch's elastic launcher, inside this block, to leave SIGINT and SIGTERM to this process's own handlers."""
    name = "TORCHELASTIC_SIGNALS_TO_HANDLE"
    before = os.environ.get(name)
    os.environ[name] = "SIGHUP,SIGQUIT"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
