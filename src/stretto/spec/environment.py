"""The one place where the environment is read.

What it says never silently wins over a flag or a run file: ranks come from the launcher that started this process
(torchrun's variables), the rest only decides how things look.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from stretto.spec.errors import UserError


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
        UserError: some of the launcher's variables are set and others are not, or one is no number.
    """
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE")
    values = [os.environ.get(name) for name in names]
    if values[0] is None or values[3] is None:
        return None
    try:
        rank, local_rank, local_ranks, ranks = (int(v) for v in values if v is not None)
    except ValueError:
        given = ", ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))
        raise UserError(f"the launcher set {given}; expected all four as integers.") from None
    return Ranks(rank, local_rank, local_ranks, ranks)


def cache_folder() -> str:
    """Where caches of this user belong (XDG_CACHE_HOME, else ~/.cache)."""
    return os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
