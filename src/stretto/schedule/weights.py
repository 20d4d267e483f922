"""Weight gradients placed anew in a given order of forwards and backwards.

W waits for nothing but its own I and nothing waits for it, so any order can be improved by taking its W's out and
putting them back where ranks would idle, where memory asks for it, or at the end (Qi et al. 2023, section 3.1). The
order of the others stays, except for what `swapped` changes: a local move. About 2 microseconds a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from stretto.schedule.greedy import Outcome, Problem
from stretto.spec.program import Compute, Program, passes_of

_NEVER = 1e300
_CLOSE = 1e-9


class Filling(NamedTuple):
    """When a weight gradient fills a gap (`greedy.Rules` has the same fields)."""

    gap: float = 1.0
    last_gap: float = 1.0
    balance: bool = False
    idle: float = 0.0


def core_of(program: Program) -> list[list[int]] | None:
    """Per rank the forwards and backwards, as `Outcome.orders` has them; None where microbatches do not take turns."""
    stages = program.stages
    found: list[list[int]] = []
    for records in program.ranks:
        done = [0] * (2 * stages)
        core: list[int] = []
        for record in records:
            for part in passes_of(record):
                if not isinstance(part, Compute) or part.slice:
                    return None
                if part.kind == "W":
                    continue
                code = part.stage + stages * (part.kind != "F")
                if done[code] != part.microbatch:
                    return None
                done[code] += 1
                core.append(code)
        found.append(core)
    return found


def without_weights(orders: Sequence[Sequence[int]], stages: int) -> list[list[int]]:
    """The orders without their weight gradients."""
    return [[code for code in order if code < 2 * stages] for order in orders]


def swapped(core: list[list[int]], random: Random) -> list[list[int]]:
    """A local move: one pass of one rank goes up to four places earlier or later."""
    rank = random.randrange(len(core))
    order = core[rank].copy()
    if len(order) > 1:
        at = random.randrange(len(order))
        to = min(max(at + random.choice([-4, -3, -2, -1, 1, 2, 3, 4]), 0), len(order) - 1)
        order.insert(to, order.pop(at))
    return [order if r == rank else other for r, other in enumerate(core)]


def fill(given: Problem, core: Sequence[Sequence[int]], filling: Filling) -> Outcome | None:
    """Orders with weight gradients in them and their times; None where `core` cannot happen within the cap."""
    run = _Run(given, core, filling)
    while run.heap:
        time, rank = heappop(run.heap)
        if run.free[rank] <= time:
            code = run.choose(time, rank)
            if code >= 0:
                run.start(time, rank, code)
    if sum(map(len, run.orders)) < 3 * len(given.placement) * given.microbatches:
        return None
    spans = [b - a for a, b in zip(run.first, run.free, strict=True) if a >= 0]
    return Outcome(max(spans, default=0.0), max(run.free), run.orders)


class _Run:
    """The state of a simulation, as in `greedy`."""

    def __init__(self, given: Problem, core: Sequence[Sequence[int]], filling: Filling) -> None:
        ranks, stages = given.ranks, len(given.placement)
        self.given, self.core, self.stages, self.balance = given, core, stages, filling.balance
        self.arrived: list[list[float]] = [[] for _ in range(2 * stages)]
        self.arrived[0] = [0.0] * given.microbatches
        self.done = [0] * (3 * stages)
        self.at = [0] * ranks
        self.free, self.first, self.idled = [0.0] * ranks, [-1.0] * ranks, [0.0] * ranks
        self.stored, self.sleeps = [0.0] * ranks, [True] * ranks
        self.gap, self.last_gap, self.most = [filling.gap] * ranks, filling.last_gap, filling.idle
        self.orders: list[list[int]] = [[] for _ in range(ranks)]
        self.heap = [(0.0, rank) for rank in range(ranks)]
        self.times = (*given.forward, *given.input_grad, *given.weight_grad)
        freed = (kept - size for kept, size in zip(given.kept, given.size, strict=True))
        self.adds = (*given.size, *freed, *(-kept for kept in given.kept))

    def choose(self, time: float, rank: int) -> int:
        """What a free rank starts now; -1 where it waits."""
        given, stages, until, short = self.given, self.stages, _NEVER, False
        core, at = self.core[rank], self.at[rank]
        if at < len(core):
            code = core[at]
            short = code < stages and self.stored[rank] + given.size[code] > given.cap[rank] + _CLOSE
            there, i = self.arrived[code], self.done[code]
            if i < len(there):
                until = there[i]
                if until <= time + _CLOSE and not short:
                    self.at[rank] = at + 1
                    return code
        oldest, weight = given.microbatches, -1
        for s in given.held[rank]:
            done = self.done[2 * stages + s]
            if done < self.done[stages + s] and done <= oldest:
                oldest, weight = done, s
        if weight >= 0:
            gap = until - time
            fits = gap >= given.weight_grad[weight] * self.gap[rank] - _CLOSE
            if fits or short or (self.balance and self.idled[rank] + gap > self.most + _CLOSE):
                return 2 * stages + weight
        self.sleeps[rank] = True
        if until < _NEVER and not short:
            heappush(self.heap, (until, rank))
        return -1

    def start(self, time: float, rank: int, code: int) -> None:
        """Do a pass and tell the rank that its result goes to."""
        given, stages = self.given, self.stages
        if self.first[rank] < 0:
            self.first[rank] = time
        else:
            idled = self.idled[rank] = self.idled[rank] + time - self.free[rank]
            self.most = max(self.most, idled)
        self.sleeps[rank] = False
        self.orders[rank].append(code)
        self.done[code] += 1
        self.stored[rank] += self.adds[code]
        end = arrival = time + self.times[code]
        s, target = code % stages, rank
        if code < stages:
            if self.done[code] == given.microbatches and s == given.held[rank][0]:
                self.gap[rank] = self.last_gap
            if s + 1 < stages:
                target, arrival = given.placement[s + 1], end + given.hop[s + 1]
                self.arrived[s + 1].append(arrival)
            else:
                self.arrived[stages + s].append(end)
        elif code < 2 * stages and s:
            target, arrival = given.placement[s - 1], end + given.back[s]
            self.arrived[stages + s - 1].append(arrival)
        self.free[rank] = end
        heappush(self.heap, (end, rank))
        if target != rank and self.sleeps[target]:
            heappush(self.heap, (max(arrival, self.free[target]), target))
