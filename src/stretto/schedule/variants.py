"""Rules worth trying in the greedy scheduler, and an endless search among them.

First the rules that long searches over published settings ended with (one and two chunks a rank, equal stages, caps
of one to three pipelines' depth); then random ones; then changes of the best so far (an evolution strategy). Random
numbers are keyed by the seed and the number of the trial, so the n-th trial does not depend on how long others took.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal, NamedTuple, TypeAlias

from stretto.schedule.greedy import Outcome, Problem, Rules, simulate

Measure: TypeAlias = Literal["span", "makespan"]
_ALL: Final = (2.0, 2.0)
_KEEP: Final = 24
_RANDOM: Final = 40


@dataclass(frozen=True, slots=True)
class Variant:
    """Rules, and how long ranks may idle before they fill short gaps, as a share of the least idle time so far."""

    rules: Rules
    idle: float = 0.0


class Trial(NamedTuple):
    """What a variant did on one of the problems."""

    value: float
    number: int
    problem: int
    variant: Variant
    outcome: Outcome


def _rules(
    order: tuple[int, ...],
    ahead: tuple[tuple[float, float], ...],
    gap: tuple[float, float] = (1.0, 1.0),
    wait: tuple[float, int, bool] = (0.0, 0, False),
    flush: int = 0,
) -> Rules:
    return Rules(
        order=order,
        ahead=ahead,
        gap=gap[0],
        last_gap=gap[1],
        wait=wait[0],
        wait_first=wait[1],
        wait_forward=wait[2],
        flush=flush,
    )


_ONE_CHUNK: Final = (
    Variant(replace(_rules((1, 0), ((0.99, 0.10),), wait=(0.3, 1, False)), balance=True)),
    Variant(replace(_rules((1, 0), ((1.02, 0.52),), wait=(1.0, 1, True), flush=2), balance=True)),
    Variant(replace(_rules((1, 0), ((1.02, 0.52),), (0.25, 0.25), (1.0, 1, True), 2), balance=True)),
    Variant(replace(_rules((0, 1), ((1.07, 0.02),), (0.75, 0.75)), balance=True)),
    Variant(replace(_rules((0, 1), ((1.02, 0.04),), (0.5, 0.5), (1.0, 2, True), 2), balance=True)),
    Variant(replace(_rules((1, 0), ((1.17, 0.17),), (0.0, 0.0)), balance=False)),
    Variant(_rules((1, 0), (_ALL,), wait=(0.3, 1, False))),
    Variant(_rules((0, 1), (_ALL,), (0.5, 1.0))),
)
_BOTH: Final = (_ALL, _ALL)
_TWO_CHUNKS: Final = (
    Variant(replace(_rules((3, 0, 1, 2), _BOTH, (0.25, 1.0), (0.6, 2, True)), balance=True), 0.9),
    Variant(replace(_rules((3, 0, 1, 2), _BOTH, (0.25, 1.0), (0.6, 2, True), 1), balance=True), 0.9),
    Variant(_rules((2, 0, 3, 1), _BOTH, (0.0, 0.75), (1.0, 1, True))),
    Variant(_rules((2, 0, 1, 3), _BOTH, (0.75, 0.75), (1.0, 1, True))),
    Variant(replace(_rules((2, 0, 3, 1), _BOTH, (0.0, 0.75), (0.6, 2, True), 1), balance=True), 0.9),
    Variant(_rules((2, 0, 1, 3), (_ALL, _ALL), (0.0, 1.0), (1.0, 1, True), 1)),
    Variant(
        replace(
            _rules((2, 1, 3, 0), ((0.83, 0.44), (0.35, 0.56)), (0.0, 0.5), (0.6, 8, True)),
            balance=True,
            later_from=0.2,
            later_ahead=((0.99, 0.59), _ALL),
        ),
        0.5,
    ),
    Variant(
        replace(_rules((3, 0, 1, 2), ((0.95, 0.61), _ALL), (0.0, 0.5), (0.3, 2, True), 1), balance=True),
        0.9,
    ),
    Variant(
        replace(
            _rules((2, 1, 3, 0), ((0.91, 0.83), _ALL), (0.0, 0.75), (1.0, 8, True)),
            balance=True,
            later_from=0.1,
            later_ahead=((0.9, 0.38), _ALL),
        ),
        0.9,
    ),
    Variant(
        replace(
            _rules((2, 1, 0, 3), ((0.77, 0.71), _ALL), (0.0, 1.0), (1.0, 1, True)),
            later_from=0.5,
            later_ahead=((0.68, 0.77), _ALL),
        ),
        0.7,
    ),
    Variant(
        replace(
            _rules((3, 0, 1, 2), ((0.74, 0.61), (0.63, 0.55)), (0.25, 1.0), (1.0, 1, True)),
            offsets=(5.1, -4.8, -0.45, 1.16),
            slopes=(0.0, -0.19, 0.69, -0.22),
            balance=True,
            later_from=0.7,
            later_ahead=((0.96, 0.65), _ALL),
        ),
        0.8,
    ),
    Variant(
        replace(
            _rules((2, 1, 3, 0), ((0.985, 0.539), _ALL), (0.0, 0.5), (0.6, 2, False), 1),
            balance=True,
            later_from=0.1,
            later_ahead=((0.726, 0.529), _ALL),
        ),
        0.95,
    ),
    Variant(replace(_rules((3, 1, 0, 2), ((0.95, 0.61), _ALL), (0.25, 0.5), (0.6, 2, True)), balance=True), 0.9),
    Variant(_rules((3, 1, 2, 0), (_ALL, _ALL), (1.0, 1.0), (0.3, 2, True))),
    Variant(_rules((2, 0, 3, 1), (_ALL, _ALL), (0.25, 0.25))),
    Variant(replace(_rules((1, 0, 2, 3), (_ALL, _ALL), (1.0, 0.5), (0.3, 2, False)), balance=True), 0.95),
)


def proven(chunks: int) -> tuple[Variant, ...]:
    """The rules to begin with, for `chunks` chunks a rank."""
    if chunks == 1:
        return _ONE_CHUNK
    if chunks == 2:
        return _TWO_CHUNKS
    last_first = tuple(range(2 * chunks - 1, chunks - 1, -1))
    backward_first = (*last_first, *range(chunks - 1, -1, -1))
    everything = (_ALL,) * chunks
    return (
        Variant(_rules(backward_first, everything, (0.25, 0.5), (0.3, 2, True), 1)),
        Variant(_rules(backward_first, everything, (0.0, 0.5))),
        Variant(replace(_rules(backward_first, everything, (1.0, 1.0)), balance=True), 0.9),
    )


def evolve(problems: Sequence[Problem], measure: Measure, seed: int = 0) -> Iterator[Trial]:
    """Endless trials of rules on `problems`, which place the same passes in different ways."""
    best: list[Trial] = []
    number = 0
    for index, variant in _beginnings(problems):
        best.append(_try(problems, index, variant, measure, number, best))
        yield best[-1]
        best = sorted(best, key=lambda trial: trial[:2])[:_KEEP]
        number += 1
    start = number
    while True:
        random = Random(seed * 1_000_003 + number)
        parent = best[min(int(random.expovariate(0.3)), len(best) - 1)]
        fresh = number - start < _RANDOM and number % 2 == 0
        if fresh or random.random() < 0.15:
            variant = _random(random, _chunks(problems[parent.problem]))
        else:
            variant = _changed(random, parent.variant, _chunks(problems[parent.problem]))
        found = _try(problems, parent.problem, variant, measure, number, best)
        number += 1
        yield found
        if found.value < best[-1].value or len(best) < _KEEP:
            best = sorted([*best, found], key=lambda trial: trial[:2])[:_KEEP]


def _beginnings(problems: Sequence[Problem]) -> list[tuple[int, Variant]]:
    """Each problem's first rules, then again those that depend on the least idle time, which is less by then."""
    firsts = [(index, variant) for index, given in enumerate(problems) for variant in proven(_chunks(given))]
    return [*firsts, *((index, variant) for index, variant in firsts if index == 0 and variant.idle > 0)]


def _try(
    problems: Sequence[Problem], index: int, variant: Variant, measure: Measure, number: int, best: list[Trial]
) -> Trial:
    given = problems[index]
    work = max(given.busy) * given.microbatches
    idle = max(best[0].outcome.span - work, 0.0) if best else 0.05 * work
    outcome = simulate(given, variant.rules, idle * variant.idle)
    return Trial(outcome.span if measure == "span" else outcome.makespan, number, index, variant, outcome)


def _chunks(given: Problem) -> int:
    return max(map(len, given.held))


def _random(random: Random, chunks: int) -> Variant:
    kinds = 2 * chunks
    order = list(range(kinds))
    random.shuffle(order)
    periodic = random.random() < 0.4
    rules = Rules(
        order=tuple(order),
        offsets=tuple(random.uniform(-6, 6) for _ in order) if periodic else (),
        slopes=tuple(random.choice([0.0, random.uniform(-1, 1)]) for _ in order) if periodic else (),
        ahead=_ahead(random, chunks) if random.random() < 0.8 else (),
        later_ahead=_ahead(random, chunks),
        later_from=random.choice([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 2.0]),
        wait=random.choice([0.0, 0.3, 0.6, 1.0, 1.0]),
        wait_first=random.choice([1, 2, 2, 4, 8]),
        wait_forward=random.random() < 0.7,
        gap=random.choice([0.0, 0.25, 0.5, 0.75, 1.0]),
        last_gap=random.choice([0.5, 0.75, 1.0, 1.0]),
        balance=random.random() < 0.6,
        flush=random.choice([0, 1, 2]),
    )
    return Variant(rules, random.choice([0.0, 0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0]))


def _ahead(random: Random, chunks: int) -> tuple[tuple[float, float], ...]:
    if chunks == 1:
        return ((random.uniform(0.7, 1.1), random.uniform(0.0, 0.6)),)
    others = [random.choice([_ALL, (random.uniform(0, 0.8), random.uniform(0.2, 0.8))]) for _ in range(chunks - 1)]
    return ((random.uniform(0.6, 1.05), random.uniform(0.2, 0.8)), *others)


_FIELDS: Final = (
    *("order", "ahead", "later_ahead", "later_from", "wait", "wait_first", "wait_forward"),
    *("gap", "last_gap", "balance", "flush", "idle"),
)


def _changed(random: Random, old: Variant, chunks: int) -> Variant:
    """One or two fields drawn anew, or nudged where they are numbers of a kind."""
    new, rules, idle = _random(random, chunks), old.rules, old.idle
    for field in random.sample(_FIELDS, random.choice([1, 1, 2])):
        if field == "idle":
            idle = new.idle
        elif field == "order" and rules.offsets and random.random() < 0.8:
            rules = replace(
                rules, offsets=_nudged(random, rules.offsets, 1.0), slopes=_nudged(random, rules.slopes, 0.2)
            )
        elif field == "order":
            rules = replace(rules, order=new.rules.order, offsets=new.rules.offsets, slopes=new.rules.slopes)
        elif field in ("ahead", "later_ahead") and getattr(rules, field) and random.random() < 0.8:
            pairs: tuple[tuple[float, float], ...] = getattr(rules, field)
            moved = tuple((a + random.gauss(0, 0.05), b + random.gauss(0, 0.05)) for a, b in pairs)
            rules = replace(rules, **{field: moved})
        else:
            rules = replace(rules, **{field: getattr(new.rules, field)})
    return Variant(rules, idle)


def _nudged(random: Random, numbers: tuple[float, ...], by: float) -> tuple[float, ...]:
    at = random.randrange(len(numbers))
    return tuple(x + random.gauss(0, by) if k == at else x for k, x in enumerate(numbers))
