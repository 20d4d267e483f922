"""BitPipe: two V-shaped pipelines in opposite directions, four chunks a rank (Wu et al. 2024, BitPipe).

A unit is D microbatches on D ranks, half in each direction, each direction with a weight set of 2D stages. On every
rank forwards are ordered unit by unit, by ``stage + 2 * place in the unit``, and backwards mirrored: as D is even, what
one direction does at even times the other does at odd ones. A list scheduler merges both, forwards taking one unit of
time and backwards two: a rank does its next backward if it is there, otherwise its next forward if that is there and
the rank does not yet store a whole unit. So a unit's forwards fill the gaps that the backwards before them leave. It
cannot get stuck, as a rank can always store all forwards of the earliest unfinished unit.

A single unit stands idle for (D-2)/(4D-2) of its time, that is the paper's (D-2)/(3N+D-2) with N = D, and stores at
most D and at least 3D/4 + 1/2 microbatches' activations; weights are stored twice. Every further unit costs less than
half the idle time of the first. Generating takes about three microseconds a record.
"""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush

from stretto.schedule.generators.placing import mirrored, v_map
from stretto.schedule.generators.sizes import check_even, check_sizes
from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Program

_FORWARD_TIME, _BACKWARD_TIME = 1, 2
_NEVER = float("inf")


def bitpipe(ranks: int, microbatches: int) -> Program:
    """The BitPipe program; of every unit the first half of the microbatches runs in copy 0, the second in copy 1.

    Raises:
        UserError: the number of ranks is odd, or microbatches are no multiple of it.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    check_even(ranks)
    if microbatches % ranks:
        raise bad_value("microbatches", microbatches, f"a multiple of {ranks}, the ranks")
    empty = Program(
        ranks=((),) * ranks,
        stages=2 * ranks,
        microbatches=microbatches,
        placement=mirrored(v_map(ranks)[0], ranks),
        kind="bitpipe",
    )
    return replace(empty, ranks=_Merging(empty).run())


class _Merging:
    """The list scheduler: what every rank has still to do, and when results arrive."""

    def __init__(self, program: Program) -> None:
        ranks = range(len(program.ranks))
        slots = program.copies * program.stages * program.microbatches
        self.program = program
        self.forwards = [_forwards(program, rank)[::-1] for rank in ranks]
        self.backwards = [_backwards(program, rank)[::-1] for rank in ranks]
        """What is left of each rank's passes, the next one last."""
        self.made = {"F": [_NEVER] * slots, "B": [_NEVER] * slots}
        """When each slot's pass ends, for those that have started."""
        self.records: list[list[Compute]] = [[] for _ in ranks]
        self.free = [0.0 for _ in ranks]
        self.stored = [0 for _ in ranks]
        self.awake = [(0.0, rank) for rank in ranks]

    def run(self) -> tuple[tuple[Compute, ...], ...]:
        """Every rank's passes in order."""
        while self.awake:
            now, rank = heappop(self.awake)
            if self.free[rank] > now:
                continue
            if self._there(self.backwards[rank], now):
                self._start(now, rank, self.backwards[rank].pop(), _BACKWARD_TIME, -1)
            elif self.stored[rank] < self.program.stages and self._there(self.forwards[rank], now):
                self._start(now, rank, self.forwards[rank].pop(), _FORWARD_TIME, 1)
        return tuple(tuple(records) for records in self.records)

    def _start(self, now: float, rank: int, record: Compute, lasts: int, stores: int) -> None:
        end = self.free[rank] = now + lasts
        self.stored[rank] += stores
        self.records[rank].append(record)
        self.made[record.kind][self._slot(record, record.stage)] = end
        heappush(self.awake, (end, rank))
        receiver = record.stage + stores
        if 0 <= receiver < self.program.stages:
            heappush(self.awake, (end, self.program.placement[record.copy][receiver]))

    def _there(self, left: list[Compute], now: float) -> bool:
        return bool(left) and self._arrival(left[-1]) <= now

    def _arrival(self, record: Compute) -> float:
        """When a pass can start at the earliest."""
        kind, stage = record.kind, record.stage
        if kind == "F":
            return self.made["F"][self._slot(record, stage - 1)] if stage else 0.0
        if stage == self.program.stages - 1:
            return self.made["F"][self._slot(record, stage)]
        return self.made["B"][self._slot(record, stage + 1)]

    def _slot(self, record: Compute, stage: int) -> int:
        return (record.copy * self.program.stages + stage) * self.program.microbatches + record.microbatch


def _forwards(program: Program, rank: int) -> list[Compute]:
    keyed = sorted(
        (unit, stage + 2 * place, copy, stage, microbatch)
        for copy, stage in program.chunks(rank)
        for unit, place, microbatch in _entering(program, copy)
    )
    return [Compute("F", stage, microbatch, 0, copy) for _, _, copy, stage, microbatch in keyed]


def _backwards(program: Program, rank: int) -> list[Compute]:
    keyed = sorted(
        (unit, program.stages - 1 - stage + 2 * place, copy, stage, microbatch)
        for copy, stage in program.chunks(rank)
        for unit, place, microbatch in _entering(program, copy)
    )
    return [Compute("B", stage, microbatch, 0, copy) for _, _, copy, stage, microbatch in keyed]


def _entering(program: Program, copy: int) -> list[tuple[int, int, int]]:
    """(unit, place within the unit, microbatch) for all microbatches of a copy."""
    ranks = len(program.ranks)
    found: list[tuple[int, int, int]] = []
    for unit, first in enumerate(range(0, program.microbatches, ranks)):
        half = ranks // 2
        found += [(unit, place, first + copy * half + place) for place in range(half)]
    return found
