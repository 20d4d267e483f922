"""Every kind of schedule: its name -> its generator and what it can be asked for. A new kind is one file and one line.

A generator is a pure function from sizes to a program: ``make(ranks, microbatches, **options)``. It is given only the
options that its line names, and only where they were asked for; it refuses sizes that its definition does not admit
with a `UserError` that says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from stretto.spec.program import Program

Option: TypeAlias = Literal["chunks", "slices", "costs", "memory_cap", "ratio", "group", "exact"]


class Kind(NamedTuple):
    """A schedule that can be generated."""

    make: Callable[..., Program]
    summary: str
    """What it is, in one line."""
    source: str
    """The paper that describes it."""
    options: frozenset[Option] = frozenset()
    """What it takes beyond ranks and microbatches. `slices` here: it orders slices itself."""


KINDS: Final[dict[str, Kind]] = {}
