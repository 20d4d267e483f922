"""How old the weights are that an asynchronous program's passes read, and how many versions each stage keeps.

Versions are those of the records: 0 at the program's start, n made by ``update ^n`` (Narayanan et al. 2019, PipeDream,
section 3.3; Kosson et al. 2021, Pipelined Backpropagation). A program whose only updates are at its end has
staleness 0, gap 0 and one version. Programs are expected to verify; everything takes one pass over the records.
"""

from __future__ import annotations

from collections.abc import Iterator

from stretto.spec.program import Compute, Program, Record, State, passes_of


def staleness(program: Program) -> tuple[int, ...]:
    """Per stage, the most updates between the weights that a forward read and the newest when its gradient is applied.

    A gradient is applied by the first update after its microbatch's backward.
    """
    worst = [0] * program.stages
    for _, stage, records in _chunks(program):
        read: dict[tuple[int, int], int] = {}
        pending: list[int] = []
        newest = 0
        for record in records:
            if isinstance(record, State):
                worst[stage] = max([worst[stage], *(newest - version for version in pending)])
                pending.clear()
                newest = record.version or newest + 1
            elif record.kind == "F":
                read[record.microbatch, record.slice] = record.version
            elif record.kind != "I":
                pending.append(read[record.microbatch, record.slice])
    return tuple(worst)


def version_gap(program: Program) -> tuple[int, ...]:
    """Per stage, the most updates between the weights of a microbatch's forward and of its backward."""
    worst = [0] * program.stages
    for _, stage, records in _chunks(program):
        read: dict[tuple[int, int], int] = {}
        for record in records:
            if isinstance(record, State):
                continue
            if record.kind == "F":
                read[record.microbatch, record.slice] = record.version
            else:
                gap = record.version - read[record.microbatch, record.slice]
                worst[stage] = max(worst[stage], gap)
    return tuple(worst)


def versions_kept(program: Program) -> tuple[int, ...]:
    """Per stage, the most versions of its weights that exist at once: the newest, and those that are still to be read.

    A version that nothing reads after the update that replaces it is overwritten. Stages held by several copies count
    one copy's.
    """
    most = [1] * program.stages
    for _, stage, records in _chunks(program):
        read = {record.version: at for at, record in enumerate(records) if isinstance(record, Compute)}
        older: set[int] = set()
        newest = 0
        for at, record in enumerate(records):
            if isinstance(record, State):
                if read.get(newest, -1) > at:
                    older.add(newest)
                newest = record.version or newest + 1
                most[stage] = max(most[stage], 1 + len(older))
            elif read[record.version] == at:
                older.discard(record.version)
    return tuple(most)


def _chunks(program: Program) -> Iterator[tuple[int, int, list[Compute | State]]]:
    """(copy, stage, its passes and updates in order)."""
    for records in program.ranks:
        found: dict[tuple[int, int], list[Compute | State]] = {}
        for record in records:
            for part in _parts(record):
                found.setdefault((part.copy, part.stage), []).append(part)
        for (copy, stage), parts in found.items():
            yield copy, stage, parts


def _parts(record: Record) -> Iterator[Compute | State]:
    if isinstance(record, State):
        if record.kind == "update":
            yield record
    else:
        yield from (part for part in passes_of(record) if isinstance(part, Compute))
