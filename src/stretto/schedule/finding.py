"""What verification found wrong: a sentence, and the few steps that show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stuck:
    """A step that can never happen, or that is where it must not be."""

    rank: int
    position: int
    """Its place among its rank's steps, from 0."""
    step: str
    """The step as text."""
    waits_for: str = ""
    """What it waits for, as text."""
    on: int | None = None
    """The rank that would have to act first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A counterexample: why a program is wrong, and the smallest set of steps that shows it."""

    sentence: str
    steps: tuple[Stuck, ...] = ()


def ring(steps: dict[int, Stuck]) -> tuple[Stuck, ...]:
    """The steps of ranks that wait for each other in a ring, or else the chain that ends at a rank that is done.

    Args:
        steps: every rank that cannot go on -> where it stands and on whom it waits.
    """
    best: tuple[Stuck, ...] = ()
    for start in steps:
        seen: list[int] = []
        rank: int | None = start
        while rank is not None and rank in steps and rank not in seen:
            seen.append(rank)
            rank = steps[rank].on
        if rank is None or rank not in steps:
            found = tuple(steps[r] for r in seen[-1:])
        else:
            found = tuple(steps[r] for r in seen[seen.index(rank) :])
        if found and (not best or len(found) < len(best)):
            best = found
    return best


def told(steps: tuple[Stuck, ...]) -> str:
    """The sentence for steps that wait for each other."""
    parts = [f"rank {s.rank} stands at {s.step} and waits for {s.waits_for}" for s in steps]
    return "; ".join(parts) + "."
