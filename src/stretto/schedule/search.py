"""The best schedule that can be found in given seconds for given costs, under a cap on what ranks store.

Candidates are every generator's program that keeps one copy of the weights and trains synchronously, then their orders
with weight gradients placed anew (`schedule.weights`), orders of the greedy scheduler (`schedule.greedy`) under ever
other rules (`schedule.variants`) with stages in a line, in a V and in a loop, and local moves of the best. Every
candidate is timed under the same costs; the best so far is always there, so the result is at least as good as every
generator at the same memory. A lower bound says how far from the best possible it can be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from stretto.schedule.bounds import makespan_bound, span_bound
from stretto.schedule.graph import build
from stretto.schedule.greedy import Outcome, Problem, problem, program_of
from stretto.schedule.memory import peaks
from stretto.schedule.registry import KINDS
from stretto.schedule.timing import timing
from stretto.schedule.variants import Measure, evolve
from stretto.schedule.weights import Filling, core_of, fill, swapped, without_weights
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError, bad_value
from stretto.spec.program import Compute, Pair, Program, State, passes_of

_CLOSE = 1e-9
_FILLINGS = (
    Filling(0.0, 1.0, balance=True),
    Filling(1.0, 1.0),
    Filling(0.5, 1.0, balance=True, idle=0.04),
    Filling(0.25, 0.5, balance=True, idle=0.01),
)
_FIRST = 0.6
"""The share of the time after which the generators that look at the costs have their turn."""
_REFILLED = 3
"""How many of the best generated programs have their weight gradients placed anew."""
_CLOSING_S = 8e-6
"""What telling of the candidates takes at the end, a pass."""
_WEIGHING_S = 60e-6
"""What weighing costs takes the building-block generators, a pass."""
_RULES_FIRST = 30
"""After so many rules, every second trial is a local move of the best order."""


class Candidate(NamedTuple):
    """A program that was tried."""

    name: str
    value: float
    peak: float
    """The most that a rank stores."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search ended with. Times have the costs' unit, memory is in microbatches on one rank."""

    program: Program
    value: float
    """The program's span or makespan, whichever was asked for."""
    lower_bound: float
    """No program with this placement, under this cap, has a smaller value."""
    peaks: tuple[float, ...]
    tried: tuple[Candidate, ...]
    """Every generator that was admitted, and for each placement the greedy scheduler's best; best first."""
    trials: int
    """How many rules the greedy scheduler was run with."""
    seconds: float

    @property
    def gap(self) -> float:
        """How much less the value can be at most, as a share of it."""
        return 1 - self.lower_bound / self.value if self.value else 0.0


def search(
    costs: PassCosts,
    *,
    ranks: int,
    microbatches: int,
    memory_cap: float | Sequence[float] | None = None,
    chunks: Sequence[int] = (1, 2),
    measure: Measure = "makespan",
    seconds: float = 5.0,
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> Found:
    """Search for the program with the shortest makespan, or longest span of a rank.

    Args:
        costs: numbers are a rank's whole share; lists name every stage, so only chunk counts that fit them are tried.
        ranks: at least 1.
        microbatches: at least 1.
        memory_cap: what a rank may store, in microbatches, or one such number a rank; none: no cap.
        chunks: how many stages a rank may hold.
        measure: what is to be short.
        seconds: when to stop; the candidates that come first are always finished.
        seed: of the random rules. Equal arguments try equal rules in equal order; time decides how many.
        progress: called with (seconds so far, best value) after every candidate that was better.

    Raises:
        UserError: a size is below 1, no chunk count fits the costs, or the cap is too small for any schedule.
    """
    begin = time.monotonic()
    _check(ranks, microbatches, chunks, seconds)
    problems = _problems(costs, ranks, microbatches, memory_cap, chunks)
    leader = _Leader(problems, _least(problems, costs, measure), begin, progress)
    sizes = (costs, ranks, microbatches, memory_cap, chunks, measure)
    quick = sorted(_generated(*sizes, weighed=False, until=begin + seconds), key=lambda made: made[1])
    leader.lead(quick)
    outcomes = _outcomes([g for _, g in problems], [p for *_, p in quick[:_REFILLED]], measure, seed)
    leader.follow(outcomes, begin + _FIRST * seconds)
    slow = list(_generated(*sizes, weighed=True, until=begin + seconds))
    leader.lead(slow)
    leader.follow(outcomes, begin + seconds - _CLOSING_S * 3 * ranks * microbatches * max(chunks))
    assert leader.program
    tried = [Candidate(name, value, max(peaks(program, costs))) for name, value, program in (*quick, *slow)]
    for index, (reached, outcome) in leader.bests.items():
        name, given = problems[index]
        tried.append(Candidate(name, reached, max(peaks(program_of(given, outcome.orders), costs))))
    return _found(leader.program, costs, memory_cap, measure, tried, leader.trials, begin)


class _Leader:
    """The best program so far."""

    def __init__(
        self,
        problems: Sequence[tuple[str, Problem]],
        bound: float,
        begin: float,
        progress: Callable[[float, float], None] | None,
    ) -> None:
        self.problems, self.bound, self.begin, self.progress = problems, bound, begin, progress
        self.value = float("inf")
        self.program: Program | None = None
        self.bests: dict[int, tuple[float, Outcome]] = {}
        """Per problem the best value and outcome."""
        self.trials = 0

    def lead(self, made: Iterable[tuple[str, float, Program]]) -> None:
        """Let generated programs compete."""
        for _, value, program in made:
            if value < self.value - _CLOSE:
                self._improve(value, program)

    def follow(self, outcomes: Iterator[tuple[int, float, Outcome]], until: float) -> None:
        """Let greedy outcomes compete: one at least, then as time allows and the bound leaves room."""
        before = time.monotonic()
        for index, value, outcome in outcomes:
            self.trials += 1
            if index not in self.bests or value < self.bests[index][0]:
                self.bests[index] = value, outcome
            if value < self.value - _CLOSE:
                self._improve(value, program_of(self.problems[index][1], outcome.orders, "searched"))
            now = time.monotonic()
            if now + (now - before) > until or self.value <= self.bound * (1 + 1e-9):
                return
            before = now

    def _improve(self, value: float, program: Program) -> None:
        self.value, self.program = value, program
        if self.progress:
            self.progress(time.monotonic() - self.begin, value)


def _outcomes(
    problems: Sequence[Problem], programs: Sequence[Program], measure: Measure, seed: int
) -> Iterator[tuple[int, float, Outcome]]:
    """(problem, value, outcome), endlessly: generated orders with their W's placed anew, rules, local moves."""
    best: tuple[float, int, Outcome] | None = None
    fresh = False
    for program in programs:
        for k, given in enumerate(problems):
            core = core_of(program) if given.placement == program.placement[0] else None
            for index, value, outcome in _filled(problems, k, core or [], measure, _FILLINGS):
                yield index, value, outcome
                if best is None or value < best[0]:
                    best = value, index, outcome
    for trial in evolve(problems, measure, seed):
        found = [(trial.problem, trial.value, trial.outcome)]
        if best and trial.number >= _RULES_FIRST:
            random = Random(seed * 1_000_003 - trial.number - 1)
            core = without_weights(best[2].orders, len(problems[best[1]].placement))
            fillings = _FILLINGS if fresh else (random.choice(_FILLINGS),)
            core = core if fresh else swapped(core, random)
            found += _filled(problems, best[1], core, measure, fillings)
        fresh = False
        for index, value, outcome in found:
            yield index, value, outcome
            if best is None or value <= best[0]:
                fresh = best is None or value < best[0] - _CLOSE
                best = value, index, outcome


def _filled(
    problems: Sequence[Problem], index: int, core: list[list[int]], measure: Measure, fillings: Sequence[Filling]
) -> list[tuple[int, float, Outcome]]:
    """What a core order becomes with weight gradients placed in several ways; nothing for an empty one."""
    given = problems[index]
    unit = max(given.busy)
    found: list[tuple[int, float, Outcome]] = []
    for filling in fillings if core else ():
        idle = filling.idle * given.microbatches * unit
        outcome = fill(given, core, filling._replace(idle=idle))
        if outcome:
            found.append((index, outcome.span if measure == "span" else outcome.makespan, outcome))
    return found


def _found(
    program: Program,
    costs: PassCosts,
    cap: float | Sequence[float] | None,
    measure: Measure,
    tried: list[Candidate],
    trials: int,
    begin: float,
) -> Found:
    bound = makespan_bound(program, costs)
    if measure == "span":
        bound = span_bound(program, costs, cap)
    return Found(
        program=program,
        value=_value(program, costs, measure),
        lower_bound=bound,
        peaks=peaks(program, costs),
        tried=tuple(sorted(tried, key=lambda candidate: candidate.value)),
        trials=trials,
        seconds=time.monotonic() - begin,
    )


def _check(ranks: int, microbatches: int, chunks: Sequence[int], seconds: float) -> None:
    if ranks < 1:
        raise bad_value("ranks", ranks, "an integer of at least 1")
    if microbatches < 1:
        raise bad_value("microbatches", microbatches, "an integer of at least 1")
    if not chunks or min(chunks) < 1:
        raise bad_value("chunks", list(chunks), "numbers of at least 1")
    if not seconds >= 0:
        raise bad_value("seconds", seconds, "a number of at least 0")


def _problems(
    costs: PassCosts, ranks: int, microbatches: int, cap: float | Sequence[float] | None, chunks: Sequence[int]
) -> list[tuple[str, Problem]]:
    """(name, problem) of every placement that fits the costs."""
    found: list[tuple[str, Problem]] = []
    refused: UserError | None = None
    down = tuple(range(ranks))
    for count in chunks:
        placements = {"line": down} if count == 1 else {f"loop of {count}": down * count}
        if count % 2 == 0:
            placements = {
                "V" if count == 2 else f"zigzag of {count}": (*down, *down[::-1]) * (count // 2),
                **placements,
            }
        for name, placement in placements.items():
            try:
                found.append((f"greedy, {name}", problem(costs, placement, microbatches, cap)))
            except UserError as error:
                refused = error
    if not found:
        assert refused
        raise refused
    return sorted(found, key=lambda pair: ("loop" in pair[0], "line" in pair[0]))


def _generated(
    costs: PassCosts,
    ranks: int,
    microbatches: int,
    cap: float | Sequence[float] | None,
    chunks: Sequence[int],
    measure: Measure,
    weighed: bool,
    until: float,
) -> Iterator[tuple[str, float, Program]]:
    """(name, value, program) of every generator that admits the sizes, the costs and the cap.

    `weighed`: those that look at the costs, which takes them longer; else the others. Where that would take longer
    than the time there is, they give the order that they have for equal times.
    """
    for name, kind in KINDS.items():
        if weighed != ("costs" in kind.options):
            continue
        if "ratio" in kind.options or ("slices" in kind.options and len(costs.slices) < 2):
            continue  # these leave stages out, or are for sequences that are cut
        counts: Sequence[int | None] = [c for c in chunks if c > 1] if "chunks" in kind.options else [None]
        for count in counts:
            options: dict[str, object] = {} if count is None else {"chunks": count}
            if "slices" in kind.options:
                options["slices"] = len(costs.slices)
            passes = 3 * ranks * microbatches * max(chunks)
            if "costs" in kind.options and ("memory_cap" in kind.options or _in_time(passes, until)):
                options["costs"] = costs
            if "memory_cap" in kind.options and cap is not None:
                options["memory_cap"] = cap
            try:
                program = kind.make(ranks, microbatches, **options)
                if not _admitted(program, costs, cap, chunks):
                    continue
                value = _value(program, costs, measure)
            except UserError:
                continue
            yield name if count in (None, 2) else f"{name}, {count} chunks", value, program


def _in_time(passes: int, until: float) -> bool:
    """Whether a generator can weigh the costs of so many passes before `until`."""
    return time.monotonic() + passes * _WEIGHING_S < until


def _admitted(program: Program, costs: PassCosts, cap: float | Sequence[float] | None, chunks: Sequence[int]) -> bool:
    """Whether a program trains one copy of the weights synchronously and obeys the cap.

    Raises:
        UserError: the costs are for other sizes.
    """
    ranks = len(program.ranks)
    if program.copies > 1 or program.forward_only or program.paths or program.barriers:
        return False
    if program.stages not in {count * ranks for count in chunks}:
        return False
    for rank in program.ranks:
        for record in rank:
            if isinstance(record, State) or (isinstance(record, Compute | Pair) and _stale(record)):
                return False
    caps = cap if isinstance(cap, Sequence) else [float("inf") if cap is None else cap] * ranks
    return all(peak <= most + _CLOSE for peak, most in zip(peaks(program, costs), caps, strict=True))


def _stale(record: Compute | Pair) -> bool:
    return any(isinstance(found, Compute) and found.version for found in passes_of(record))


def _value(program: Program, costs: PassCosts, measure: Measure) -> float:
    found = timing(build(program), costs)
    return max(found.spans) if measure == "span" else found.makespan


def _least(problems: list[tuple[str, Problem]], costs: PassCosts, measure: Measure) -> float:
    """What no placement can beat: a search that reaches it may stop."""
    bounds: list[float] = []
    for _, given in problems:
        empty = program_of(given, [[] for _ in range(given.ranks)])
        bounds.append(makespan_bound(empty, costs) if measure == "makespan" else span_bound(empty, costs))
    return min(bounds)
