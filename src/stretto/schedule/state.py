"""State: what happens to parameters and gradients within a step, added to the passes of any program.

Parameters that are kept in shards are gathered before their first use; a stage's gradients are reduced right after its
last weight gradient, so that the reduction goes on under the passes that are left (Li et al. 2020, PyTorch DDP,
section 3.2.3), for bidirectional programs between the copies too. The optimizer step needs the norm of all gradients
and so waits for every reduction, or does not wait and is checked afterwards (Qi et al. 2023, Zero Bubble, section 4,
post-validation): then no rank waits for all others between two steps. Takes time linear in the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Program, Record, State, passes_of


def with_state(program: Program, *, gather: bool = False, validate: bool = False) -> Program:
    """The program with its parameters' records.

    Args:
        program: a training program without states.
        gather: whether parameters are kept in shards: gather each stage's before its first pass.
        validate: whether a stage is updated as soon as its gradients are reduced, and all updates are validated at
            the end of the program; where one fails, `rollback_of` says what to run. Otherwise a rank updates after
            all of its reductions. With several copies, whose gradients are summed, updates come after the rank's last
            pass in either case, since another copy's gradients may need it.

    Raises:
        UserError: the program has no backwards, or updates its parameters already.
    """
    if program.forward_only:
        raise UserError("the program is forward-only; expected one with backwards: nothing is updated without them.")
    if any(isinstance(record, State) for records in program.ranks for record in records):
        raise UserError(
            "the program has records of its parameters already; expected one without: an asynchronous program updates "
            "them between its passes."
        )
    add = partial(_rank, gather=gather, validate=validate, at_once=validate and program.copies == 1)
    ranks = tuple(tuple(add(records, program.chunks(number))) for number, records in enumerate(program.ranks))
    return replace(program, ranks=ranks)


def rollback_of(program: Program) -> tuple[tuple[State, ...], ...]:
    """Per rank what undoes the program's validated updates, to be run by every rank where one validation failed.

    The stage that was validated last is undone first. After it each rank updates again, with the right norm.
    """
    return tuple(
        tuple(
            State("rollback", record.stage, record.copy)
            for record in reversed(records)
            if isinstance(record, State) and record.kind == "validate"
        )
        for records in program.ranks
    )


def _rank(
    records: Sequence[Record], chunks: Sequence[tuple[int, int]], gather: bool, validate: bool, at_once: bool
) -> Iterator[Record]:
    starts, ends = _uses(records)
    reduced: list[tuple[int, int]] = []
    for place, record in enumerate(records):
        if gather:
            yield from (State("gather", *chunk) for chunk in starts.get(place, ()))
        yield record
        for chunk in ends.get(place, ()):
            reduced.append(chunk)
            yield State("reduce", *chunk)
            if at_once:
                yield State("update", *chunk)
    # no microbatch may have come to a stage, or to this copy of it
    unused = [(stage, copy) for copy, stage in chunks if (stage, copy) not in reduced]
    yield from (State("reduce", *chunk) for chunk in unused)
    yield from (State("update", *chunk) for chunk in (unused if at_once else reduced + unused))
    if validate:
        yield from (State("validate", *chunk) for chunk in reduced + unused)


def _uses(records: Sequence[Record]) -> tuple[dict[int, list[tuple[int, int]]], dict[int, list[tuple[int, int]]]]:
    """The (stage, copy) pairs whose first pass is at a place, and those whose last is."""
    first: dict[tuple[int, int], int] = {}
    last: dict[tuple[int, int], int] = {}
    for place, record in enumerate(records):
        for part in passes_of(record):
            if isinstance(part, Compute):
                first.setdefault((part.stage, part.copy), place)
                last[part.stage, part.copy] = place
    starts: dict[int, list[tuple[int, int]]] = {}
    ends: dict[int, list[tuple[int, int]]] = {}
    for found, places in ((starts, first), (ends, last)):
        for chunk, place in places.items():
            found.setdefault(place, []).append(chunk)
    return starts, ends
