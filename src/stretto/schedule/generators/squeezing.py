"""A list scheduler for two chunks a rank in a V: keeps to a given order where it can and closes gaps where it cannot.

Every rank has an order of its four kinds of passes, F0, F1, I1 and I0 (the forward of chunk 0, and so on). It does the
first of them that is not done if its input is there; otherwise something out of turn: an input gradient, a weight
gradient that waits, or a forward, provided that the storage then suffices for all that comes before that forward's
turn. So storage never exceeds what is allowed if the given order does not. Where more weight gradients wait than
`Ways.waiting`, one is done in any case. Since records are listed as they are done, the program never deadlocks. Time is
about six microseconds a record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute

Step: TypeAlias = tuple[int, int]
"""(kind of pass, microbatch); kinds are 0 to 3: F0, F1, I1, I0."""
_NEVER: Final = float("inf")


class Ways(NamedTuple):
    """What a rank does while the next pass of its order cannot start."""

    waiting: int
    """How many weight gradients may wait on a rank while it has something else to do."""
    weights_first: bool = True
    """Prefer a weight gradient that waits to any pass out of turn."""
    patient: bool = False
    """Do nothing that would hold up the next pass of the order, where it is known when that can start."""


class Times:
    """What passes and messages take."""

    def __init__(self, ranks: int, costs: PassCosts) -> None:
        forward, input_grad, weight_grad = (
            costs.per_stage(field, 2 * ranks, ranks) for field in ("forward", "input_grad", "weight_grad")
        )
        self.ranks = ranks
        self.passes = [(forward[r], forward[-1 - r], input_grad[-1 - r], input_grad[r]) for r in range(ranks)]
        """Per rank those of F0, F1, I1 and I0."""
        self.weights = [(weight_grad[r], weight_grad[-1 - r]) for r in range(ranks)]
        """Per rank those of the weight gradients of both chunks."""
        self.down = [costs.link(r, r + 1) for r in range(ranks - 1)]
        self.up = [costs.link(r + 1, r) for r in range(ranks - 1)]

    def target(self, rank: int, kind: int) -> tuple[int, int, float]:
        """(rank, kind, time of the message) of the pass that reads this one's result; rank -1 for none."""
        if kind % 2 == 0:
            return (rank + 1, kind, self.down[rank]) if rank + 1 < self.ranks else (rank, kind + 1, 0.0)
        if rank:
            return rank - 1, kind, self.up[rank - 1]
        return (0, 2, 0.0) if kind == 1 else (-1, 0, 0.0)


class Squeezed:
    """The passes of every rank as the scheduler orders them.

    Args:
        orders: per rank its order of passes; a chunk's microbatches ascending.
        microbatches: how many there are.
        most: how many activations of a chunk a rank may store.
        times: what passes and messages take.
        ways: what a rank does out of turn.
    """

    def __init__(
        self, orders: Sequence[Sequence[Step]], microbatches: int, most: int, times: Times, ways: Ways
    ) -> None:
        self.times, self.ways, self.most = times, ways, most
        self.ranks = [_Rank(order, microbatches) for order in orders]
        self.ranks[0].arrival[0] = [0.0] * microbatches + [_NEVER]
        self.awake = [(0.0, 0)]
        while self.awake:
            now, number = heappop(self.awake)
            if self.ranks[number].free <= now:
                self._do_something(number, self.ranks[number], now)

    @property
    def span(self) -> float:
        """The longest time from the start of a rank's first pass to the end of its last."""
        return max(rank.free - rank.start for rank in self.ranks)

    def records(self, number: int) -> Iterator[Compute]:
        """What a rank does, in order."""
        far = 2 * len(self.ranks) - 1 - number
        for kind, microbatch in self.ranks[number].done:
            stage = number if kind in (0, 3, 4) else far
            yield Compute("F" if kind < 2 else "I" if kind < 4 else "W", stage, microbatch)

    def _do_something(self, number: int, rank: _Rank, now: float) -> None:
        forced = len(rank.waiting) > self.ways.waiting
        step = None if forced else self._choose(number, rank, now)
        if step:
            self._start(number, rank, now, step)
        elif rank.waiting:
            kind, microbatch = rank.waiting[0]
            lasts = self.times.weights[number][kind - 4]
            if forced or not self._holds_up(rank, now, lasts):
                rank.waiting.popleft()
                rank.done.append((kind, microbatch))
                rank.free = now + lasts
                heappush(self.awake, (rank.free, number))

    def _choose(self, number: int, rank: _Rank, now: float) -> Step | None:
        """The next pass of the order if it can start, otherwise one out of turn."""
        step = rank.next()
        if step and rank.arrival[step[0]][step[1]] <= now:
            return step
        if rank.waiting and self.ways.weights_first:
            return None
        for kind in (2, 3, 1, 0):
            there = rank.arrival[kind][rank.count[kind]] <= now
            if there and (kind > 1 or rank.fits(kind, self.most)):
                held_up = self._holds_up(rank, now, self.times.passes[number][kind])
                return None if held_up else (kind, rank.count[kind])
        return None

    def _holds_up(self, rank: _Rank, now: float, lasts: float) -> bool:
        """Whether something that takes so long would hold up the next pass of the order, and the rank minds."""
        step = rank.next() if self.ways.patient else None
        return step is not None and rank.arrival[step[0]][step[1]] < now + lasts

    def _start(self, number: int, rank: _Rank, now: float, step: Step) -> None:
        kind, microbatch = step
        end = rank.do(kind, microbatch, now, self.times.passes[number][kind])
        heappush(self.awake, (end, number))
        target, kind, lasts = self.times.target(number, kind)
        if target >= 0:
            arrival = self.ranks[target].arrival[kind][microbatch] = end + lasts
            if self.ranks[target].free <= arrival:  # otherwise it looks when it is free
                heappush(self.awake, (arrival, target))


class _Rank:
    """What one rank has done and can do."""

    __slots__ = ("arrival", "at", "count", "done", "free", "order", "start", "stored", "waiting")

    def __init__(self, order: Sequence[Step], microbatches: int) -> None:
        self.order = order
        self.at = 0
        """Everything before this in `order` is done."""
        self.count = [0, 0, 0, 0]
        """Per kind how many microbatches are done."""
        self.arrival = [[_NEVER] * (microbatches + 1) for _ in range(4)]
        """Per kind and microbatch when its input is there; behind the last one never."""
        self.stored = 0
        self.waiting: deque[Step] = deque()
        """Weight gradients: (4, microbatch) of chunk 0, (5, microbatch) of chunk 1."""
        self.free, self.start = 0.0, 0.0
        self.done: list[Step] = []

    def next(self) -> Step | None:
        """The first pass of the order that is not done."""
        order, count = self.order, self.count
        for at in range(self.at, len(order)):
            step = order[at]
            if count[step[0]] <= step[1]:
                self.at = at
                return step
        self.at = len(order)
        return None

    def fits(self, kind: int, most: int) -> bool:
        """Whether doing the next forward of a kind now leaves room for all that comes before its turn."""
        level, count, at = self.stored + 1, self.count, self.at
        turn = (kind, count[kind])
        while level <= most:
            step = self.order[at]
            if step == turn:
                return True
            at += 1
            if step[1] >= count[step[0]]:
                level += 1 if step[0] < 2 else -1
        return False

    def do(self, kind: int, microbatch: int, now: float, lasts: float) -> float:
        """Do a pass; when it ends."""
        if not self.done:
            self.start = now
        self.count[kind] = microbatch + 1
        self.done.append((kind, microbatch))
        self.stored += 1 if kind < 2 else -1
        if kind > 1:
            self.waiting.append((7 - kind, microbatch))
        self.free = now + lasts
        return self.free
