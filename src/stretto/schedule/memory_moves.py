"""Less activation memory in any program: recompute what a stage stores, or move it out and back.

Recomputation (Chen et al. 2016, sublinear memory) drops what a forward stored and computes it again right before the
backward that reads it. Offloading moves it to the host right after the forward and back shortly before the backward;
only activations that lie long enough are worth it, and which ones is chosen one by one, per stage, microbatch and
slice (Chen et al. 2025, SPPO; Wan et al. 2025, PipeOffload): whenever a rank would keep too many, the one needed
furthest in the future goes (Belady 1966). `schedule.memory.peaks` says what is saved. Takes time linear in the
records, but for a heap of the activations that lie on a rank.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from stretto.spec.errors import UserError, bad_value
from stretto.spec.program import Compute, Memory, Program, Record, passes_of

Key: TypeAlias = tuple[int, int, int, int]
"""(stage, microbatch, slice, copy)."""


def with_recompute(program: Program, stages: Collection[int] | None = None) -> Program:
    """The program with the activations of `stages` (none: of all) recomputed right before their B or I.

    Raises:
        UserError: the program has no backwards, such a stage, or moves the activations of one already.
    """
    _check_backwards(program)
    chosen = set(range(program.stages)) if stages is None else set(stages)
    for stage in sorted(chosen):
        if not 0 <= stage < program.stages:
            raise bad_value("stages", stage, f"stages from 0 to {program.stages - 1}")
    for key in _moved(program):
        if key[0] in chosen:
            raise bad_value("stages", key[0], "stages whose activations are neither recomputed nor moved already")

    def rank(records: Sequence[Record]) -> Iterator[Record]:
        for record in records:
            for part in passes_of(record):
                if isinstance(part, Compute) and part.kind in "BI" and part.stage in chosen:
                    yield Memory("recompute", *part[1:5])
            yield record

    return replace(program, ranks=tuple(tuple(rank(records)) for records in program.ranks))


def with_offload(program: Program, keep: float, ahead: int = 1) -> Program:
    """The program with the longest-lying activations of every rank moved out and back.

    A rank then stores at most `keep` activations between two records, beyond those whose backward is among the next
    `ahead` + 1 records, wherever moving some out can achieve that; while a forward runs, one more.

    Args:
        program: a training program; activations that are recomputed or moved already stay as they are.
        keep: how many activations (of one stage, microbatch and slice) every rank keeps, as an integer; or below 1
            the share that it keeps of the most that it would store.
        ahead: how many records before its backward an activation is brought back.

    Raises:
        UserError: the program has no backwards, or a number is out of range.
    """
    _check_backwards(program)
    if keep < 0 or (keep >= 1 and keep != int(keep)):
        raise bad_value("keep", keep, "an integer of at least 1, or a share from 0 up to but not including 1")
    if ahead < 0:
        raise bad_value("ahead", ahead, "an integer of at least 0")
    moved = set(_moved(program))
    return replace(program, ranks=tuple(tuple(_offload(records, keep, ahead, moved)) for records in program.ranks))


def _check_backwards(program: Program) -> None:
    if program.forward_only:
        raise UserError("the program is forward-only; expected one with backwards: it keeps no activations.")


def _moved(program: Program) -> Iterator[Key]:
    for records in program.ranks:
        for record in records:
            if isinstance(record, Memory):
                yield record[1:]


def _offload(records: Sequence[Record], keep: float, ahead: int, moved: Collection[Key]) -> Iterator[Record]:
    lives = _lives(records, moved)
    count = int(keep) if keep >= 1 else int(keep * _most(lives, len(records)))
    chosen = _longest(lives, len(records), count, ahead)
    out: dict[int, list[Memory]] = {}
    back: dict[int, list[Memory]] = {}
    for key in chosen:
        start, end = lives[key]
        out.setdefault(start, []).append(Memory("offload", *key))
        back.setdefault(end - ahead, []).append(Memory("reload", *key))
    for place, record in enumerate(records):
        yield from back.get(place, ())
        yield record
        yield from out.get(place, ())


def _lives(records: Sequence[Record], moved: Collection[Key]) -> dict[Key, tuple[int, int]]:
    """Per activation the places of its forward and of its B or I."""
    starts: dict[Key, int] = {}
    lives: dict[Key, tuple[int, int]] = {}
    for place, record in enumerate(records):
        for part in passes_of(record):
            if isinstance(part, Compute) and part[1:5] not in moved:
                key = part[1:5]
                if part.kind == "F":
                    starts[key] = place
                elif part.kind in "BI":
                    lives[key] = starts[key], place
    return lives


def _most(lives: dict[Key, tuple[int, int]], places: int) -> int:
    """The most activations that are alive at once."""
    steps = [0] * (places + 1)
    for start, end in lives.values():
        steps[start] += 1
        steps[end + 1] -= 1
    level = most = 0
    for step in steps:
        level += step
        most = max(most, level)
    return most


def _longest(lives: dict[Key, tuple[int, int]], places: int, count: int, ahead: int) -> list[Key]:
    """The activations to move out, so that at most `count` lie between two records if that can be."""
    begin: list[list[Key]] = [[] for _ in range(places)]
    for key, (start, _) in lives.items():
        begin[start].append(key)
    leave = [0] * (places + 1)
    back = [0] * (places + 1)
    here: list[tuple[int, Key]] = []
    chosen: list[Key] = []
    level = 0
    for place in range(places):
        level += back[place]
        for key in begin[place]:
            end = lives[key][1]
            level += 1
            leave[end] += 1
            heapq.heappush(here, (ahead - end, key))
        # one that comes back at the next record, or before its forward has ended, is not worth moving
        while level - leave[place] > count and here and -here[0][0] > place + 1:
            comes, key = heapq.heappop(here)
            chosen.append(key)
            back[-comes] += 1
            level -= 1
        level -= leave[place]
    return chosen
