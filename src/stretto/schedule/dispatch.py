"""Dispatch: the passes of a program and of its shared vocabulary, each started when its rank gets to it.

A list scheduler in virtual time (Graham 1969): ranks, in the order of time, start the first pass that can start.
`schedule.vocabulary` says what it is for and why it always finishes. Lookups come first, being short and waited for by
the first stage; then what the barriers wait for; then the program's own passes, in its own order as far as that can
be; then what nobody waits for, unless it piles up. Time is linear in the passes, but for a heap of the ranks.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from stretto.schedule.timing import duration
from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute, Pair, Program, Record, Vocabulary, passes_of

Unit: TypeAlias = tuple[int, int, int]
"""(microbatch, slice, copy)."""

_E, _S, _T, _G = range(4)
_AHEAD: Final = 2
"""How many lookups may be done before the forward that reads the first of them."""
_BEHIND: Final = 2
"""How many of a vocabulary's weight gradients may be left while other passes can start."""
_NEVER: Final = float("inf")


@dataclass(slots=True)
class _Rank:
    """What a rank has done and has left."""

    number: int
    queues: tuple[list[int], list[int], list[int]] = field(default_factory=lambda: ([], [], []))
    """Its forwards, its backwards, its weight gradients: each in the program's order."""
    at: list[int] = field(default_factory=lambda: [0, 0, 0])
    """How many of each it has started."""
    shared: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """How many vocabulary passes E, S, T, G it has started."""
    pair: Pair | None = None
    """One of the program's pairs on this rank, if it has any."""
    records: list[Record] = field(default_factory=list)
    wake: float = 0.0
    """When it next looks for something to do."""
    idle: bool = False


@dataclass(slots=True)
class _Shared:
    """A kind of vocabulary pass: the units that have it, in the one order in which every rank does them."""

    kind: Literal["E", "S", "T", "G"]
    lasts: list[list[float]]
    """Per rank and slice how long it takes."""
    units: list[Unit] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    """Per unit when it can start."""
    left: list[int] = field(default_factory=list)
    """Per unit how many ranks have not started it."""
    end: list[float] = field(default_factory=list)
    """Per unit when the last of those that have started it is done."""

    def add(self, unit: Unit, ready: float) -> None:
        """Let every rank do this pass from `ready` on."""
        self.units.append(unit)
        self.ready.append(ready)
        self.left.append(len(self.lasts))
        self.end.append(0.0)


@dataclass(slots=True)
class _Passes:
    """The program's own passes as columns, and where each lies in its rank's order."""

    part: list[Compute] = field(default_factory=list)
    rank: list[int] = field(default_factory=list)
    lasts: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    """How many inputs have not started."""
    ready: list[float] = field(default_factory=list)
    """When those that have are there."""
    outputs: list[list[int]] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    """The place in the rank's order, shifted by the extra forwards."""
    after: list[tuple[int, int]] = field(default_factory=list)
    """Of a forward: how many backwards and weight gradients must be started before it."""

    def add(self, part: Compute, rank: int, lasts: float) -> int:
        """Number a pass."""
        self.part.append(part)
        self.rank.append(rank)
        self.lasts.append(lasts)
        self.missing.append(0)
        self.ready.append(0.0)
        self.outputs.append([])
        self.key.append(0)
        self.after.append((0, 0))
        return len(self.part) - 1


class Dispatch:
    """One run of the list scheduler over a program whose `barriers` are set and whose vocabulary passes are not.

    `extra` forwards more than in the program may be in flight on every rank.
    """

    def __init__(self, program: Program, costs: PassCosts, extra: int) -> None:
        self.program, self.costs, self.extra = program, costs, extra
        count = len(program.ranks)
        shares = costs.slice_shares(program.slices)
        fields: tuple[tuple[Literal["E", "S", "T", "G"], str], ...]
        fields = (("E", "embed_forward"), ("S", "output_forward"), ("T", "output_grad"), ("G", "embed_grad"))
        self.shared = [
            _Shared(kind, [[x * share for share in shares] for x in costs.per_rank(name, count)])
            for kind, name in fields
        ]
        self.links = [[costs.link(a, b) for b in range(count)] for a in range(count)]
        self.passes = _Passes()
        self.events = [(0.0, rank) for rank in range(count)]
        self.ranks = [self._take(number, records) for number, records in enumerate(program.ranks)]
        self.offers: dict[int, tuple[int, Unit]] = {}
        """What every rank can do once a pass is done: the last stage's forward makes an S, the first's backward a G."""
        self.next_lookup: dict[int, Unit] = {}
        """What every rank can look up once a pass has started."""
        self.entry: dict[Unit, int] = {}
        """The forwards that wait for lookups."""
        self.exit: dict[Unit, int] = {}
        """The backwards that wait for the barriers."""
        self._connect()

    def run(self) -> Program:
        """The program with its passes in the order in which they were started."""
        events, ranks = self.events, self.ranks
        while events:
            now, number = heapq.heappop(events)
            if now == ranks[number].wake:
                self._step(ranks[number], now)
        return replace(self.program, ranks=tuple(tuple(rank.records) for rank in ranks))

    def _take(self, number: int, records: Sequence[Record]) -> _Rank:
        """Number a rank's passes."""
        rank, passes = _Rank(number), self.passes
        forwards, backwards, weights = rank.queues
        last = duration(self.program, self.costs)
        others: list[tuple[int, int]] = []
        for record in records:
            rank.pair = record if isinstance(record, Pair) else rank.pair
            limit = (len(backwards) - self.extra, len(weights) - self.extra)
            for part in passes_of(record):
                assert isinstance(part, Compute)
                node = passes.add(part, number, last(part))
                if part.kind == "F":
                    passes.after[node] = limit
                    forwards.append(node)
                else:
                    (weights if part.kind == "W" else backwards).append(node)
                    others.append((node, len(forwards) + self.extra))
        self._place(forwards, others)
        return rank

    def _place(self, forwards: list[int], others: list[tuple[int, int]]) -> None:
        """Number a rank's places: each other pass after so many forwards."""
        key = self.passes.key
        place = ahead = 0
        for node, before in others:
            while ahead < min(before, len(forwards)):
                key[forwards[ahead]] = place
                place, ahead = place + 1, ahead + 1
            key[node] = place
            place += 1
        for node in forwards[ahead:]:
            key[node] = place
            place += 1

    def _connect(self) -> None:
        passes, program = self.passes, self.program
        find = {("I" if part.kind == "B" else part.kind, *part[1:5]): node for node, part in enumerate(passes.part)}
        paths = [program.path(microbatch) for microbatch in range(program.microbatches)]
        before = [dict(zip(path[1:], path, strict=False)) for path in paths]
        after = [dict(pairwise(path)) for path in paths]
        for node, (kind, stage, microbatch, piece, copy, _) in enumerate(passes.part):
            unit = (microbatch, piece, copy)
            above, below = before[microbatch].get(stage), after[microbatch].get(stage)
            stored = [] if kind == "F" else [("I" if kind == "W" else "F", stage, *unit)]
            if kind == "F" and below is None:
                self.offers[node] = (_S, unit)
            if kind in "BI" and above is None:
                self.offers[node] = (_G, unit)
            if kind != "W":
                source, ends = (above, self.entry) if kind == "F" else (below, self.exit)
                if source is None:
                    ends[unit] = node
                    passes.missing[node] += 1
                else:
                    stored.append(("F" if kind == "F" else "I", source, *unit))
            for name in stored:
                passes.outputs[find[name]].append(node)
                passes.missing[node] += 1
        self._plan_lookups()

    def _plan_lookups(self) -> None:
        units = {node: unit for unit, node in self.entry.items()}
        for rank in self.ranks:
            firsts = [node for node in rank.queues[0] if node in units]
            for node in firsts[:_AHEAD]:
                self.shared[_E].add(units[node], 0.0)
            for node, ahead in zip(firsts, firsts[_AHEAD:], strict=False):
                self.next_lookup[node] = units[ahead]

    def _step(self, rank: _Rank, now: float) -> None:
        """Start what `rank` can start at `now`, or let it wait."""
        end = self._start(rank, now)
        rank.idle = end == _NEVER
        rank.wake = self._soonest(rank, now) if rank.idle else end
        if rank.wake < _NEVER:
            heapq.heappush(self.events, (rank.wake, rank.number))

    def _start(self, rank: _Rank, now: float) -> float:
        """Start the first pass that can start; return when it ends, never where there is none."""
        kind = self._first_shared(rank, now)
        if kind is not None:
            return self._share(kind, rank, now)
        end = self._compute(rank, now)
        if end < _NEVER:
            return end
        left = next((kind for kind in (_T, _G) if self._has(kind, rank, now)), None)
        return _NEVER if left is None else self._share(left, rank, now)

    def _first_shared(self, rank: _Rank, now: float) -> int | None:
        """The vocabulary pass that comes before the program's own: it is waited for, or too many are left."""
        _, scores, outputs, embeddings = rank.shared
        if self._has(_E, rank, now):
            return _E
        if (self.program.barriers == 2 or scores - outputs >= _BEHIND) and self._has(_T, rank, now):
            return _T
        if scores - outputs <= _BEHIND and self._has(_S, rank, now):
            return _S
        late = len(self.shared[_G].units) - embeddings >= _BEHIND
        return _G if late and self._has(_G, rank, now) else None

    def _has(self, kind: int, rank: _Rank, now: float) -> bool:
        ready, at = self.shared[kind].ready, rank.shared[kind]
        return at < len(ready) and ready[at] <= now

    def _compute(self, rank: _Rank, now: float) -> float:
        """Start the first in order of the rank's next forward, backward and weight gradient, or a pair of them."""
        passes, at = self.passes, rank.at
        heads = [self._head(rank, which) for which in (0, 1, 2)]
        can = [which for which, node in enumerate(heads) if node >= 0 and passes.ready[node] <= now]
        if not can:
            return _NEVER
        chosen = min(can, key=lambda which: passes.key[heads[which]]) if len(can) > 1 else can[0]
        if rank.pair is not None and chosen < 2 and heads[0] >= 0 and heads[1] >= 0:
            if 0 in can and 1 in can:
                return self._pair(rank, rank.pair.early_output, now)
            if self._worth(heads, now):
                return _NEVER
        node = heads[chosen]
        at[chosen] += 1
        rank.records.append(passes.part[node])
        end = now + passes.lasts[node]
        self._finish(rank, node, now, end)
        return end

    def _head(self, rank: _Rank, which: int) -> int:
        """The rank's next forward, backward or weight gradient; -1 where it is not known when it can start."""
        passes, at, queue = self.passes, rank.at, rank.queues[which]
        if at[which] == len(queue):
            return -1
        node = queue[at[which]]
        if passes.missing[node]:
            return -1
        if which == 0 and (at[1] < passes.after[node][0] or at[2] < passes.after[node][1]):
            return -1
        return node

    def _worth(self, heads: Sequence[int], now: float) -> bool:
        """Whether a pair saves more time than waiting for its second half takes."""
        passes = self.passes
        wait = max(passes.ready[heads[0]], passes.ready[heads[1]]) - now
        return wait <= (1 - self.costs.pair) * (passes.lasts[heads[0]] + passes.lasts[heads[1]])

    def _pair(self, rank: _Rank, early: bool, now: float) -> float:
        passes = self.passes
        forward, backward = rank.queues[0][rank.at[0]], rank.queues[1][rank.at[1]]
        rank.at[0] += 1
        rank.at[1] += 1
        first, second = passes.lasts[forward], passes.lasts[backward]
        end = now + max(first, second, self.costs.pair * (first + second))
        rank.records.append(Pair(passes.part[forward], passes.part[backward], early))
        self._finish(rank, forward, now, now + first if early else end)
        self._finish(rank, backward, now, end)
        return end

    def _finish(self, rank: _Rank, node: int, now: float, end: float) -> None:
        """Tell what waits for a pass when its result will be there."""
        links, passes = self.links[rank.number], self.passes
        for other in passes.outputs[node]:
            self._post(other, end + links[passes.rank[other]])
        if node in self.offers:
            self._offer(*self.offers[node], end + self.costs.collective)
        if node in self.next_lookup:
            self._offer(_E, self.next_lookup[node], now)

    def _share(self, kind: int, rank: _Rank, now: float) -> float:
        """Start the rank's next vocabulary pass of a kind; the last rank's lets start what waits for all of them."""
        shared, at = self.shared[kind], rank.shared[kind]
        rank.shared[kind] += 1
        unit = shared.units[at]
        rank.records.append(Vocabulary(shared.kind, *unit))
        end = now + shared.lasts[rank.number][unit[1]]
        shared.end[at] = max(shared.end[at], end)
        shared.left[at] -= 1
        if not shared.left[at]:
            everywhere = shared.end[at] + self.costs.collective
            if kind == _E:
                self._post(self.entry[unit], everywhere)
            if kind == _S:
                self._offer(_T, unit, everywhere)
            if kind == (_S if self.program.barriers == 1 else _T):
                self._post(self.exit[unit], everywhere)
        return end

    def _post(self, node: int, time: float) -> None:
        """An input of a pass is there from `time` on."""
        passes = self.passes
        passes.missing[node] -= 1
        passes.ready[node] = max(passes.ready[node], time)
        if not passes.missing[node]:
            self._wake(self.ranks[passes.rank[node]], passes.ready[node])

    def _offer(self, kind: int, unit: Unit, time: float) -> None:
        """Every rank can do this vocabulary pass from `time` on."""
        self.shared[kind].add(unit, time)
        for rank in self.ranks:
            self._wake(rank, time)

    def _wake(self, rank: _Rank, time: float) -> None:
        if rank.idle and time < rank.wake:
            rank.wake = time
            heapq.heappush(self.events, (time, rank.number))

    def _soonest(self, rank: _Rank, now: float) -> float:
        """When the rank has to look again, as far as is known."""
        passes = self.passes
        heads = [queue[at] for queue, at in zip(rank.queues, rank.at, strict=True) if at < len(queue)]
        times = [passes.ready[node] for node in heads if not passes.missing[node]]
        for shared, at in zip(self.shared, rank.shared, strict=True):
            if at < len(shared.ready):
                times.append(shared.ready[at])
        return min((time for time in times if time > now), default=_NEVER)
