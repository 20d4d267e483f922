"""Skipping: every microbatch visits only some of the stages (Blagoev et al. 2025, SkipPipe).

Residual layers tolerate that a share of the stages is left out at random, so paths are chosen for speed alone: ranks
should not be wanted by two microbatches at once, and slow links be avoided. The first and the last stage (embedding and
head) are on every path; of the p - 2 between them each microbatch skips k = ratio x p, rounded to the nearest number
and at most all but one, and every one of them is visited equally often, give or take once. Two neighbours on a path may
be swapped where the nearer is busy.

Paths are found one microbatch after the other: of a few sets to skip, the one whose forward arrives first given the
paths before (the paper searches with A* over all paths). Passes are then ordered in virtual time, backwards first. The
ends are busy all the time, so with equal stages the makespan falls from 1F1B's ``(m + p - 1)(F + B)`` towards
``(m + p - k - 1)(F + B)``; where the ends cost less, the stages in between, visited by a share ``1 - k / (p - 2)`` of
the microbatches, bound it. Stores at most p microbatches on a rank. Takes time linear in the passes, but for heaps.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Program


def skip(ranks: int, microbatches: int, ratio: float | None = None, costs: PassCosts | None = None) -> Program:
    """The program of `ranks` stages; any number of microbatches.

    Args:
        ranks: how many ranks, each with one stage.
        microbatches: how many microbatches.
        ratio: the share of the stages that a microbatch skips, rounded to whole stages; the first, the last and one
            between are always visited. None: a third, or what that leaves.
        costs: the times of passes and links that paths and orders are chosen for; none: `PassCosts()`.

    Raises:
        UserError: a size is below 1, the ratio no share or too large for the stages, or the costs are for other sizes.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    times = _times(ranks, costs or PassCosts())
    skipped = _skipped(ranks, ratio)
    found: list[tuple[float, int, Program]] = []
    for slot in (times.forward, [f + b for f, b in zip(times.forward, times.backward, strict=True)]):
        paths = _paths(times, microbatches, skipped, slot)
        for in_flight in sorted({ranks - skipped, min(ranks - skipped + 1, ranks), ranks}):
            program = Program(
                ranks=_order(times, paths, in_flight),
                stages=ranks,
                microbatches=microbatches,
                placement=looped(ranks),
                paths=paths,
                kind="skip",
            )
            found.append((timing(program, costs or PassCosts()).makespan, in_flight, program))
    return min(found, key=lambda one: one[:2])[2]


def _skipped(ranks: int, ratio: float | None) -> int:
    """How many stages a microbatch skips."""
    most = max(ranks - 3, 0)
    if ratio is None:
        return min(int(ranks / 3 + 0.5), most)
    if not 0 <= ratio < 1:
        raise bad_value("ratio", ratio, "a share of the stages from 0 up to but not including 1")
    wanted = int(ratio * ranks + 0.5)
    if wanted > most:
        raise bad_value("ratio", ratio, f"a share of {ranks} stages that skips at most {most} of them")
    return wanted


@dataclass(frozen=True, slots=True)
class _Times:
    """Times of passes, a stage each, and of links between stages."""

    forward: list[float]
    backward: list[float]
    link: list[list[float]]


def _times(ranks: int, costs: PassCosts) -> _Times:
    forward, backward = (list(costs.per_stage(name, ranks, ranks)) for name in ("forward", "backward"))
    return _Times(forward, backward, [[costs.link(a, b) for b in range(ranks)] for a in range(ranks)])


_CHOICES = 8
"""How many sets to skip are compared for each microbatch."""


def _paths(times: _Times, microbatches: int, skipped: int, slot: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    """A path for every microbatch; `slot` is how long it keeps each stage."""
    stages = len(times.forward)
    visits = [0] * stages
    free = [0.0] * stages
    paths: list[tuple[int, ...]] = []
    for microbatch in range(microbatches):
        options = (_walk(times, free, skipping) for skipping in _choices(visits, skipped, microbatch))
        _, path, starts = min(options, key=lambda option: option[0])
        for stage, start in zip(path, starts, strict=True):
            free[stage] = max(free[stage], start + slot[stage])
            visits[stage] += 1
        paths.append(path)
    return tuple(paths)


def _choices(visits: Sequence[int], skipped: int, microbatch: int) -> list[frozenset[int]]:
    """Sets of inner stages to skip that keep their visits equal: those with more visits first, the others in turn."""
    inner = range(1, len(visits) - 1)
    if not skipped:
        return [frozenset()]
    least = min(visits[stage] for stage in inner)
    more = [stage for stage in inner if visits[stage] > least]
    same = [stage for stage in inner if visits[stage] == least]
    fixed, pool, wanted = ([], more, skipped) if len(more) >= skipped else (more, same, skipped - len(more))
    sets: list[frozenset[int]] = []
    for turn in range(min(_CHOICES, len(pool))):
        begin = microbatch + turn * max(len(pool) // _CHOICES, 1)
        spread = [pool[(begin + step * len(pool) // max(wanted, 1)) % len(pool)] for step in range(wanted)]
        sets.append(frozenset(fixed + spread))
    return sets or [frozenset(fixed)]


def _walk(
    times: _Times, free: Sequence[float], skipping: frozenset[int]
) -> tuple[float, tuple[int, ...], tuple[float, ...]]:
    """When a forward arrives at the end, its path, and when it starts at each stage of it."""
    last = len(free) - 1
    pending = [stage for stage in range(last + 1) if stage not in skipping]
    path = [0]
    starts = [free[0]]
    at = 1
    while at < len(pending):
        now, here = starts[-1] + times.forward[path[-1]], times.link[path[-1]]
        if at + 1 < len(pending) and pending[at + 1] != last:
            near, far = pending[at], pending[at + 1]
            if max(free[far], now + here[far]) < max(free[near], now + here[near]):
                pending[at], pending[at + 1] = far, near
        stage = pending[at]
        starts.append(max(free[stage], now + here[stage]))
        path.append(stage)
        at += 1
    return starts[-1], tuple(path[: len(pending)]), tuple(starts[: len(pending)])


@dataclass(slots=True)
class _Rank:
    """What a rank can do, and has done."""

    waiting: list[tuple[float, int, int]] = field(default_factory=list)
    """(arrival, 0 backward or 1 forward, microbatch) of what has not arrived yet."""
    ready: list[tuple[int, int]] = field(default_factory=list)
    """(0 or 1, microbatch) of what has."""
    done: list[Compute] = field(default_factory=list)
    free: float = 0.0


class _Run:
    """Passes in virtual time: a rank starts what has arrived, backwards first, earlier microbatches first."""

    def __init__(self, times: _Times, paths: Sequence[tuple[int, ...]]) -> None:
        self.times, self.paths = times, paths
        self.places = [{stage: place for place, stage in enumerate(path)} for path in paths]
        self.ranks = [_Rank() for _ in times.forward]
        self.events: list[tuple[float, int]] = []
        self.begun = 0

    def arrive(self, rank: int, time: float, forward: int, microbatch: int) -> None:
        """A pass can start on `rank` from `time` on."""
        heapq.heappush(self.ranks[rank].waiting, (time, forward, microbatch))
        heapq.heappush(self.events, (max(time, self.ranks[rank].free), rank))

    def begin(self, time: float) -> None:
        """Let the next microbatch enter."""
        if self.begun < len(self.paths):
            self.arrive(0, time, 1, self.begun)
            self.begun += 1

    def step(self) -> None:
        """Start the pass of the next event, if its rank is free and has one."""
        now, number = heapq.heappop(self.events)
        rank = self.ranks[number]
        if rank.free > now:
            return
        while rank.waiting and rank.waiting[0][0] <= now:
            _, forward, microbatch = heapq.heappop(rank.waiting)
            heapq.heappush(rank.ready, (forward, microbatch))
        if rank.ready:
            self._start(number, now, *heapq.heappop(rank.ready))

    def _start(self, number: int, now: float, forward: int, microbatch: int) -> None:
        rank, path = self.ranks[number], self.paths[microbatch]
        place, link = self.places[microbatch][number], self.times.link[number]
        rank.free = end = now + (self.times.forward if forward else self.times.backward)[number]
        rank.done.append(Compute("F" if forward else "B", number, microbatch))
        heapq.heappush(self.events, (end, number))
        if forward and place + 1 == len(path):
            self.arrive(number, end, 0, microbatch)
        elif forward:
            self.arrive(path[place + 1], end + link[path[place + 1]], 1, microbatch)
        elif place:
            self.arrive(path[place - 1], end + link[path[place - 1]], 0, microbatch)
        else:
            self.begin(end)


def _order(times: _Times, paths: Sequence[tuple[int, ...]], in_flight: int) -> tuple[tuple[Compute, ...], ...]:
    """The passes of every rank, with at most `in_flight` microbatches between the first stage and back."""
    run = _Run(times, paths)
    for _ in range(in_flight):
        run.begin(0.0)
    while run.events:
        run.step()
    return tuple(tuple(rank.done) for rank in run.ranks)
