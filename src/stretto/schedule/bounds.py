"""Times that no program with given stages on given ranks can beat: what a schedule is held against.

Every rank is a machine whose jobs cannot start before a head (the chain of passes that must come before) and are
followed by a tail (the chain that must come after): the shortest time is at least the least head, plus the work, plus
the least tail, of any subset of its jobs (Carlier 1982, The one-machine sequencing problem). A whole backward may
always be split and a forward may always be paired, so the bounds hold for programs that do and for those that do not.
Records of memory and state only add and are left out. Time is linear in stages times distinct paths, not in passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute, Pair, Program, passes_of

_ROUNDING = 1 - 1e-12


class _Job(NamedTuple):
    """Passes of one sort on one rank: all together take `work`, each starts after `head` and is followed by `tail`."""

    rank: int
    head: float
    work: float
    tail: float
    forward: bool = False


class _Times(NamedTuple):
    """What a stage's passes take at least: `chain` of a backward, then `rest` until its weight gradient is there."""

    forward: tuple[float, ...]
    chain: tuple[float, ...]
    rest: tuple[float, ...]
    pair: float
    """The share of `forward` and `chain` for which they keep their rank busy: less than 1 where pairs save time."""


def makespan_bound(program: Program, costs: PassCosts) -> float:
    """No program with this placement, these paths, slices and barriers has a shorter makespan under these costs.

    Raises:
        UserError: the costs are for another number of stages, ranks or slices.
    """
    ranks = len(program.ranks)
    jobs: list[_Job] = []
    longest = 0.0
    shares = costs.slice_shares(program.slices)
    for copy, path, count in _groups(program):
        jobs += _Chain(program, costs, copy, path, min(shares)).jobs(count)
        longest = max(longest, _Chain(program, costs, copy, path, max(shares)).length)
    return max([longest, *(_machine(found) for found in _by_rank(jobs, ranks))]) * _ROUNDING


def span_bound(program: Program, costs: PassCosts, memory_cap: float | Sequence[float] | None = None) -> float:
    """In no program with this placement, these paths, slices and barriers is every rank's span shorter than this.

    A rank's span begins with the first pass of some microbatch there, so heads count from the microbatch's own first
    pass on the rank, and tails to its own last. Under `memory_cap` (microbatches a rank) a rank can fill the time
    before its first backward only with as many forwards as it can store (not so for programs that recompute
    activations or move them out).

    Raises:
        UserError: the costs are for another number of stages, ranks or slices.
    """
    ranks = len(program.ranks)
    share = min(costs.slice_shares(program.slices))
    jobs: list[_Job] = []
    for copy, path, count in _groups(program):
        jobs += _Chain(program, costs, copy, path, share).local_jobs(count)
    sizes = costs.per_stage("activation", program.stages, ranks)
    times = costs.per_stage("forward", program.stages, ranks)
    bound = 0.0
    for rank, found in enumerate(_by_rank(jobs, ranks)):
        bound = max(bound, _machine(found))
        backwards = [job.head for job in found if not job.forward]
        held = [s for _, s in program.chunks(rank)]
        if memory_cap is None or not backwards or program.barriers or any(sizes[s] <= 0 for s in held):
            continue
        cap = memory_cap[rank] if isinstance(memory_cap, Sequence) else memory_cap
        stored = cap * max(times[s] / sizes[s] for s in held)
        bound = max(bound, min(backwards) + sum(job.work for job in found) - stored)
    return bound * _ROUNDING


def _groups(program: Program) -> Iterator[tuple[int, tuple[int, ...], float]]:
    """(copy, path, how many microbatches take it)."""
    counts: Counter[tuple[int, tuple[int, ...]]] = Counter()
    if program.copies == 1:
        counts.update((0, program.path(i)) for i in range(program.microbatches))
        yield from ((copy, path, float(count)) for (copy, path), count in counts.items())
        return
    firsts = {(copy, stage): holder for copy, row in enumerate(program.placement) for stage, holder in enumerate(row)}
    entries = {program.path(i)[0] for i in range(program.microbatches)}
    for rank in {firsts[copy, stage] for copy in range(program.copies) for stage in entries}:
        for record in program.ranks[rank]:
            if isinstance(record, Compute | Pair):
                for found in passes_of(record):
                    if isinstance(found, Compute) and found.kind == "F" and found.stage in entries:
                        path = program.path(found.microbatch)
                        counts[found.copy, path] += int(found.stage == path[0])
    yield from ((copy, path, count / program.slices) for (copy, path), count in counts.items() if count)


class _Chain:
    """The passes of one slice of one microbatch, one after the other, with the earliest start of each."""

    def __init__(self, program: Program, costs: PassCosts, copy: int, path: tuple[int, ...], share: float) -> None:
        ranks = len(program.ranks)
        self.path, self.where = path, [program.placement[copy][s] for s in path]
        self.ranks, self.barriers, self.forward_only = ranks, program.barriers, program.forward_only
        self.whole, self.share = _times(program, costs), share
        self.gather = costs.collective if program.barriers else 0.0
        names = ("embed_forward", "output_forward", "output_grad", "embed_grad")
        self.vocabulary = [costs.per_rank(n, ranks) if program.barriers else (0.0,) * ranks for n in names]
        embed, score, grad, embed_grad = (max(times) * share for times in self.vocabulary)
        hop = [0.0] + [costs.link(a, b) for a, b in zip(self.where, self.where[1:], strict=False)]
        back = [0.0] + [costs.link(b, a) for a, b in zip(self.where, self.where[1:], strict=False)]
        self.forward_at, self.backward_at = [0.0] * len(path), [0.0] * len(path)
        time = embed + self.gather
        for k, stage in enumerate(path):
            self.forward_at[k] = time = time + hop[k]
            time += self.whole.forward[stage] * share
        self.score_at = time + self.gather
        if program.forward_only:
            self.grad_at = self.last_at = self.length = self.score_at + score
            return
        self.grad_at = self.score_at + score + self.gather
        time = (self.grad_at + (grad + self.gather) * (program.barriers == 2)) if program.barriers else time
        for k in reversed(range(len(path))):
            self.backward_at[k] = time
            time += self.whole.chain[path[k]] * share + back[k]
        self.last_at = time + self.gather
        self.length = time + self.whole.rest[path[0]] * share
        if program.barriers:
            self.length = max(self.length, self.last_at + embed_grad)

    def jobs(self, count: float) -> Iterator[_Job]:
        """What `count` such microbatches are to every rank, over the whole step."""
        for k, stage in enumerate(self.path):
            yield from self._stage(k, stage, count, 0.0, self.length)
        if not self.barriers:
            return
        embed, score, grad, embed_grad = ([t * self.share for t in times] for times in self.vocabulary)
        much = count / self.share
        for rank in range(self.ranks):
            end = self.length
            yield _Job(rank, 0.0, much * embed[rank], end - max(embed))
            yield _Job(rank, self.score_at, much * score[rank], end - self.score_at - max(score))
            if not self.forward_only:
                tail = end - self.grad_at - max(grad) if self.barriers == 2 else 0.0
                yield _Job(rank, self.grad_at, much * grad[rank], max(tail, 0.0))
                yield _Job(rank, self.last_at, much * embed_grad[rank], 0.0)

    def local_jobs(self, count: float) -> Iterator[_Job]:
        """The same, counted from a microbatch's own first pass on each rank to its own last."""
        first: dict[int, float] = {}
        last: dict[int, float] = {}
        whole, share = self.whole, self.share
        for k, stage in enumerate(self.path):
            rank = self.where[k]
            first.setdefault(rank, self.forward_at[k])
            if self.forward_only:
                end = self.forward_at[k] + whole.forward[stage] * share
            else:
                end = self.backward_at[k] + (whole.chain[stage] + whole.rest[stage]) * share
            last[rank] = max(last.get(rank, 0.0), end)
        for k, stage in enumerate(self.path):
            rank = self.where[k]
            yield from self._stage(k, stage, count, first[rank], last[rank])

    def _stage(self, k: int, stage: int, count: float, start: float, end: float) -> Iterator[_Job]:
        rank, whole, share = self.where[k], self.whole, self.share
        at, took = self.forward_at[k], whole.forward[stage]
        yield _Job(rank, at - start, count * took * whole.pair, max(end - at - took * share, 0.0), forward=True)
        if self.forward_only:
            return
        at, took = self.backward_at[k], whole.chain[stage]
        yield _Job(rank, at - start, count * took * whole.pair, max(end - at - took * share, 0.0))
        yield _Job(rank, at - start + took * share, count * whole.rest[stage], 0.0)


def _times(program: Program, costs: PassCosts) -> _Times:
    stages, ranks = program.stages, len(program.ranks)
    forward = costs.per_stage("forward", stages, ranks)
    whole = costs.per_stage("backward", stages, ranks)
    split = costs.per_stage("input_grad", stages, ranks)
    weight = costs.per_stage("weight_grad", stages, ranks)
    chain = tuple(min(b, i) for b, i in zip(whole, split, strict=True))
    pair = 1.0 if program.forward_only else costs.pair
    ends = (min(pair * b, pair * i + w) for b, i, w in zip(whole, split, weight, strict=True))
    return _Times(forward, chain, tuple(e - pair * c for e, c in zip(ends, chain, strict=True)), pair)


def _by_rank(jobs: Iterable[_Job], ranks: int) -> list[list[_Job]]:
    found: list[list[_Job]] = [[] for _ in range(ranks)]
    for job in jobs:
        found[job.rank].append(job)
    return found


def _machine(jobs: list[_Job]) -> float:
    """The best bound of the subsets "all jobs with at least this head" and "with at least this tail"."""
    best = 0.0
    for order in (sorted(jobs, key=lambda job: -job.head), sorted(jobs, key=lambda job: -job.tail)):
        work, head, tail = 0.0, float("inf"), float("inf")
        for job in order:
            work += job.work
            head, tail = min(head, job.head), min(tail, job.tail)
            best = max(best, head + work + tail)
    return best
