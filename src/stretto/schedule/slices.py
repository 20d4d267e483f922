"""Slices: any program with every sequence cut into parts (Li et al. 2021, TeraPipe; Sun et al. 2024, Seq1F1B).

Every record on a microbatch becomes one per slice, in place: forwards from the earliest tokens to the last, since a
slice reads the keys and values of those before it, and backwards in reverse. Slices of one record stay together, so
that an order which could happen still can; what a slice needs of another stage's slices was done before. The bubble
shrinks at the ends of the pipeline; a generator that orders slices itself (`generators.sliced`) also stores less.
Takes time linear in the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Memory, Pair, Program, Record, State


def with_slices(program: Program, slices: int) -> Program:
    """The program with every microbatch's sequence cut into `slices` parts.

    Raises:
        UserError: `slices` is below 1, or the program has slices already.
    """
    if slices < 1:
        raise bad_value("slices", slices, "an integer of at least 1")
    if program.slices != 1:
        raise bad_value("program.slices", program.slices, "1: a program's sequences are cut once")
    ranks = tuple(tuple(_rank(records, slices)) for records in program.ranks)
    return replace(program, ranks=ranks, slices=slices)


def _rank(records: Sequence[Record], slices: int) -> Iterator[Record]:
    at = 0
    while at < len(records):
        group = [records[at]]
        if at + 1 < len(records) and _together(records[at], records[at + 1]):
            group.append(records[at + 1])
        if isinstance(group[0], State):
            yield group[0]
        else:
            for step in range(slices):
                yield from (_slice(record, step, slices) for record in group)
        at += len(group)


def _together(first: Record, second: Record) -> bool:
    """Whether a slice of `second` follows each of `first`: activations are moved just before or after their pass."""
    if isinstance(first, Memory):
        part = second.backward if isinstance(second, Pair) else second
        read = isinstance(part, Compute) and part.kind in "BI" and part[1:5] == first[1:5]
        return read and first.kind != "offload"
    if isinstance(second, Memory) and second.kind == "offload":
        return isinstance(first, Compute) and first.kind == "F" and first[1:5] == second[1:5]
    return False


def _slice(record: Record, step: int, slices: int) -> Record:
    """The record of a microbatch's `step`-th slice in its direction."""
    if isinstance(record, Pair):
        return record._replace(
            forward=record.forward._replace(slice=step), backward=record.backward._replace(slice=slices - 1 - step)
        )
    if isinstance(record, State):
        return record
    forward = record.kind in ("F", "E", "S", "offload")
    return record._replace(slice=step if forward else slices - 1 - step)
