"""Orders of passes from an event-driven simulation in which every rank decides, whenever it is free, what to do next.

The decisions of the zero-bubble heuristics (Qi et al. 2023, section 3.1 and appendix D) as rules with numbers: which
ready pass goes first, how far forwards may run ahead, whether to wait for a pass that is known to arrive, and when a
weight gradient fills a gap. A rank knows when a pass that a neighbour has started will arrive, nothing later.

Every stage takes microbatches in turn. A forward is admitted only where the later chunks of its rank would still fit
beside it, so the oldest microbatch can always go on: no rules deadlock or store more than the cap. About 2 to 4
microseconds a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, Literal, NamedTuple, TypeAlias

from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError, bad_value
from stretto.spec.program import Compute, Program

Kind: TypeAlias = Literal["F", "I", "W"]
KINDS: Final[tuple[Kind, Kind, Kind]] = ("F", "I", "W")
_NEVER: Final = 1e300
_CLOSE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Rules:
    """What a rank does when it could do several things; tuples have one entry for every chunk of a rank."""

    order: tuple[int, ...]
    """Rank of each chunk's F, then of each chunk's I, in order of preference: 0 goes first."""
    offsets: tuple[float, ...] = ()
    """Instead of `order`: when each is due, in periods (a rank's work for one microbatch); the earliest goes first."""
    slopes: tuple[float, ...] = ()
    """With `offsets`: how much later each is due on every next rank."""
    ahead: tuple[tuple[float, float], ...] = ()
    """How many forwards may be ahead of their backwards, as a share of the cap, on the first and the last rank."""
    later_ahead: tuple[tuple[float, float], ...] = ()
    """The same from the microbatch on that `later_from` (a share of all of them) names."""
    later_from: float = 2.0
    wait: float = 0.0
    """Wait for a preferred pass that arrives within this share of the time of the pass that is ready."""
    wait_first: int = 0
    """How many microbatches of every stage are worth waiting for."""
    wait_forward: bool = False
    """Whether forwards are worth waiting for, too."""
    gap: float = 1.0
    """A weight gradient fills a gap of at least this share of its time."""
    last_gap: float = 1.0
    """The same once the rank has begun its last forward of its first chunk."""
    balance: bool = False
    """Fill shorter gaps too where this rank would become the one that has idled most."""
    flush: int = 0
    """Where a forward lacks memory: 1, weight gradients before other forwards; 2, before backwards too."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The sizes and costs that an order is sought for; lists are per stage, caps per rank."""

    ranks: int
    microbatches: int
    placement: tuple[int, ...]
    forward: tuple[float, ...]
    input_grad: tuple[float, ...]
    weight_grad: tuple[float, ...]
    hop: tuple[float, ...]
    """Time of the message that brings a stage its input."""
    back: tuple[float, ...]
    """Time of the message by which a stage's input gradient leaves."""
    size: tuple[float, ...]
    kept: tuple[float, ...]
    """What I leaves of a stage's activation until W."""
    cap: tuple[float, ...]
    held: tuple[tuple[int, ...], ...]
    """The stages of each rank, ascending."""

    @property
    def busy(self) -> tuple[float, ...]:
        """Per rank the time of one microbatch's passes."""
        one = [sum(t) for t in zip(self.forward, self.input_grad, self.weight_grad, strict=True)]
        return tuple(sum(one[s] for s in held) for held in self.held)


class Outcome(NamedTuple):
    """Orders and their times."""

    span: float
    """The longest time of a rank from its first pass to its last."""
    makespan: float
    orders: list[list[int]]
    """Per rank, in order, kind * stages + stage; the microbatches follow, since every stage takes them in turn."""


def problem(
    costs: PassCosts, placement: Sequence[int], microbatches: int, memory_cap: float | Sequence[float] | None = None
) -> Problem:
    """What is sought: orders for one copy of the weights on `placement`, under a cap in microbatches a rank.

    Raises:
        UserError: a cap is below one microbatch on its rank, or costs or caps are for other sizes.
    """
    stages, ranks = len(placement), max(placement) + 1
    size = costs.per_stage("activation", stages, ranks)
    shares = costs.weight_shares(stages)
    held = tuple(tuple(s for s in range(stages) if placement[s] == r) for r in range(ranks))
    before = [placement[0], *placement[:-1]]
    return Problem(
        ranks=ranks,
        microbatches=microbatches,
        placement=tuple(placement),
        forward=costs.per_stage("forward", stages, ranks),
        input_grad=costs.per_stage("input_grad", stages, ranks),
        weight_grad=costs.per_stage("weight_grad", stages, ranks),
        hop=tuple(costs.link(a, b) for a, b in zip(before, placement, strict=True)),
        back=tuple(costs.link(b, a) for a, b in zip(before, placement, strict=True)),
        size=size,
        kept=tuple(a * b for a, b in zip(size, shares, strict=True)),
        cap=_caps(memory_cap, [sum(size[s] for s in stages) for stages in held], microbatches),
        held=held,
    )


def _caps(cap: float | Sequence[float] | None, one: list[float], microbatches: int) -> tuple[float, ...]:
    """A cap for every rank; `one` is what one microbatch stores there."""
    if cap is None:
        return tuple(x * (microbatches + 1) for x in one)
    caps = tuple(cap) if isinstance(cap, Sequence) else (cap,) * len(one)
    if len(caps) != len(one):
        raise bad_value("memory_cap", list(caps), f"one number, or {len(one)} of them")
    if any(have < need - _CLOSE for have, need in zip(caps, one, strict=True)):
        smallest = max(one) if not isinstance(cap, Sequence) else one
        raise UserError(f"memory_cap is {cap}; the smallest that works without recomputation is {smallest}.")
    return tuple(min(have, x * (microbatches + 1)) for have, x in zip(caps, one, strict=True))


def simulate(given: Problem, rules: Rules, idle: float = 0.0) -> Outcome:
    """Orders by `rules`. With `rules.balance`, every rank may idle for `idle` before it fills short gaps."""
    run = _Run(given, rules, idle)
    heap, choose, start, free = run.heap, run.choose, run.start, run.free
    while heap:
        time, rank = heappop(heap)
        if free[rank] <= time:
            code = choose(time, rank)
            if code >= 0:
                start(time, rank, code)
    spans = [b - a for a, b in zip(run.first, free, strict=True) if a >= 0]
    return Outcome(max(spans, default=0.0), max(free), run.orders)


def program_of(given: Problem, orders: list[list[int]], kind: str = "") -> Program:
    """The orders as a program."""
    stages = len(given.placement)
    ranks: list[tuple[Compute, ...]] = []
    for order in orders:
        done = [0] * (3 * stages)
        records: list[Compute] = []
        for code in order:
            records.append(Compute(KINDS[code // stages], code % stages, done[code]))
            done[code] += 1
        ranks.append(tuple(records))
    return Program(
        ranks=tuple(ranks), stages=stages, microbatches=given.microbatches, placement=(given.placement,), kind=kind
    )


class _Run:
    """The state of a simulation: what has been done, what has arrived or will, what is stored."""

    __slots__ = (
        "arrived_b", "arrived_f", "before_b", "before_f", "done_b", "done_f", "done_w", "first", "flush", "free",
        "gap", "given", "heap", "idled", "later", "limit", "limit_later", "most", "orders", "period", "reserve",
        "rules", "sleeps", "stages", "stored", "wait_b", "wait_f",
    )  # fmt: skip

    def __init__(self, given: Problem, rules: Rules, idle: float) -> None:
        ranks, stages, count = given.ranks, len(given.placement), given.microbatches
        self.given, self.rules, self.stages = given, rules, stages
        self.arrived_f: list[list[float]] = [[0.0] * count, *([] for _ in range(stages - 1))]
        self.arrived_b: list[list[float]] = [[] for _ in range(stages)]
        self.done_f, self.done_b, self.done_w = [0] * stages, [0] * stages, [0] * stages
        self.free, self.first, self.idled = [0.0] * ranks, [-1.0] * ranks, [0.0] * ranks
        self.stored, self.gap, self.sleeps = [0.0] * ranks, [rules.gap] * ranks, [True] * ranks
        self.most = idle
        self.orders: list[list[int]] = [[] for _ in range(ranks)]
        self.heap = [(0.0, rank) for rank in range(ranks)]
        heapify(self.heap)
        self.flush = rules.flush
        self.wait_f = [rules.wait * t for t in given.forward]
        self.wait_b = [rules.wait * t for t in given.input_grad]
        self.reserve = [
            sum(given.size[q] for q in given.held[rank] if q >= s) - _CLOSE for s, rank in enumerate(given.placement)
        ]
        self.later = rules.later_from * count
        self.limit = _limits(given, rules.ahead)
        self.limit_later = _limits(given, rules.later_ahead) if rules.later_ahead else self.limit
        self.before_f, self.before_b, self.period = _preferences(given, rules)

    def choose(self, time: float, rank: int) -> int:  # noqa: PLR0912 (one loop: half of the time goes here)
        """What a free rank starts now, as kind * stages + stage; -1 where it waits."""
        given, period = self.given, self.period
        arrived_f, arrived_b, done_f, done_b, done_w = (
            self.arrived_f, self.arrived_b, self.done_f, self.done_b, self.done_w,
        )  # fmt: skip
        now = time + _CLOSE
        room = given.cap[rank] - self.stored[rank]
        best, chosen, backward = _NEVER, -1, False
        soonest, oldest, weight, short = _NEVER, given.microbatches, -1, False
        for s in given.held[rank]:
            i, there = done_b[s], arrived_b[s]
            if i < len(there):
                if there[i] <= now:
                    due = self.before_b[s] + period * i
                    if due < best:
                        best, chosen, backward = due, s, True
                elif there[i] < soonest:
                    soonest = there[i]
            if done_w[s] < i and done_w[s] <= oldest:
                oldest, weight = done_w[s], s
            j, there = done_f[s], arrived_f[s]
            if j < len(there) and j - i < (self.limit[s] if i < self.later else self.limit_later[s]):
                if room < self.reserve[s]:
                    short = True
                elif there[j] <= now:
                    due = self.before_f[s] + period * j
                    if due < best:
                        best, chosen, backward = due, s, False
                elif there[j] < soonest:
                    soonest = there[j]
        if chosen >= 0:
            if weight >= 0 and short and given.kept[weight] > 0 and self.flush > backward:
                return 2 * self.stages + weight
            patience = self.wait_b[chosen] if backward else self.wait_f[chosen]
            if patience > 0:
                awaited = self._worth(rank, now, time + patience, best, room)
                if awaited >= 0:
                    soonest, chosen = awaited, -1
            if chosen >= 0:
                return chosen + self.stages * backward
        return self._fill(time, rank, weight, soonest, short)

    def _worth(self, rank: int, now: float, until: float, best: float, room: float) -> float:
        """When a pass that goes before `best` arrives, if that is soon enough to wait for it; else -1."""
        rules, awaited = self.rules, -1.0
        for s in self.given.held[rank]:
            i, there = self.done_b[s], self.arrived_b[s]
            soon = i < rules.wait_first and i < len(there) and now < there[i] < until
            if soon and self.before_b[s] + self.period * i < best:
                until = awaited = there[i]
            j, there = self.done_f[s], self.arrived_f[s]
            if rules.wait_forward and j < rules.wait_first and j < len(there) and now < there[j] < until:
                limit = self.limit[s] if i < self.later else self.limit_later[s]
                if self.before_f[s] + self.period * j < best and j - i < limit and room >= self.reserve[s]:
                    until = awaited = there[j]
        return awaited

    def _fill(self, time: float, rank: int, weight: int, until: float, short: bool) -> int:
        """A weight gradient for the gap until the next arrival, or -1 where the rank waits."""
        if weight >= 0:
            gap = until - time
            fits = gap >= self.given.weight_grad[weight] * self.gap[rank] - _CLOSE
            if fits or (short and self.given.kept[weight] > 0):
                return 2 * self.stages + weight
            if self.rules.balance and self.idled[rank] + gap > self.most + _CLOSE:
                return 2 * self.stages + weight
        self.sleeps[rank] = True
        if until < _NEVER:
            heappush(self.heap, (until, rank))
        return -1

    def start(self, time: float, rank: int, code: int) -> None:
        """Do a pass and tell the rank that its result goes to."""
        given, free = self.given, self.free
        if self.first[rank] < 0:
            self.first[rank] = time
        else:
            idled = self.idled[rank] = self.idled[rank] + time - free[rank]
            self.most = max(self.most, idled)
        self.sleeps[rank] = False
        self.orders[rank].append(code)
        kind, s = divmod(code, self.stages)
        target = rank
        if kind == 0:
            end = arrival = time + given.forward[s]
            self.done_f[s] += 1
            self.stored[rank] += given.size[s]
            if self.done_f[s] == given.microbatches and s == given.held[rank][0]:
                self.gap[rank] = self.rules.last_gap
            if s + 1 < self.stages:
                target, arrival = given.placement[s + 1], end + given.hop[s + 1]
                self.arrived_f[s + 1].append(arrival)
            else:
                self.arrived_b[s].append(end)
        elif kind == 1:
            end = arrival = time + given.input_grad[s]
            self.done_b[s] += 1
            self.stored[rank] -= given.size[s] - given.kept[s]
            if s:
                target, arrival = given.placement[s - 1], end + given.back[s]
                self.arrived_b[s - 1].append(arrival)
        else:
            end = arrival = time + given.weight_grad[s]
            self.done_w[s] += 1
            self.stored[rank] -= given.kept[s]
        free[rank] = end
        heappush(self.heap, (end, rank))
        if target != rank and self.sleeps[target]:
            heappush(self.heap, (max(arrival, free[target]), target))


def _limits(given: Problem, ahead: tuple[tuple[float, float], ...]) -> list[float]:
    """Per stage how many forwards may be ahead of their backwards: at least one."""
    if not ahead:
        return [_NEVER] * len(given.placement)
    limits = [0.0] * len(given.placement)
    for rank, held in enumerate(given.held):
        along = rank / max(given.ranks - 1, 1)
        for chunk, s in enumerate(held):
            first, last = ahead[min(chunk, len(ahead) - 1)]
            share = first + (last - first) * along
            limits[s] = max(1.0, share * given.cap[rank] / given.size[s]) if given.size[s] > 0 else _NEVER
    return limits


def _preferences(given: Problem, rules: Rules) -> tuple[list[float], list[float], float]:
    """Per stage when F and I are due for microbatch 0, and what every further one adds."""
    stages = len(given.placement)
    chunks = max(map(len, given.held))
    forward, backward = [0.0] * stages, [0.0] * stages
    period = max(given.busy) if rules.offsets else 0.0
    for rank, held in enumerate(given.held):
        for chunk, s in enumerate(held):
            for table, k in ((forward, chunk), (backward, chunks + chunk)):
                if rules.offsets:
                    table[s] = (rules.offsets[k] + rules.slopes[k] * rank) * period
                else:
                    table[s] = float(rules.order[k])
    return forward, backward, period
