"""Programs as JSON files: a table of the program's fields, its records as text (`spec.program_text`).

The digest of a program is that of its canonical JSON without the generator's name, so that two ways to the same
program agree.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from stretto.spec.errors import UserError, bad_value
from stretto.spec.program import Compute, Pair, Program, Record, passes_of
from stretto.spec.program_text import read_record, write_record
from stretto.spec.value import Value, load, load_json

_MOST_SLOTS: Final = 100_000_000
"""Beyond so many passes a program would not fit into memory."""


class ProgramFile(Value):
    """A program as a file holds it."""

    format: Literal["stretto.program/1"] = "stretto.program/1"
    kind: str = ""
    """The generator's name."""
    stages: int = Field(ge=1)
    microbatches: int = Field(ge=1)
    slices: int = Field(default=1, ge=1)
    barriers: Literal[0, 1, 2] = 0
    forward_only: bool = False
    placement: tuple[tuple[int, ...], ...] = Field(min_length=1)
    """Per copy, per stage, the rank that holds it."""
    paths: tuple[tuple[int, ...], ...] = ()
    """Per microbatch the stages it visits; empty: all."""
    ranks: tuple[tuple[str, ...], ...] = Field(min_length=1)
    """Per rank, its records in order."""


def program_json(program: Program) -> str:
    """The JSON text of a program, one line a rank, ending in a newline."""
    table = _fields(program)
    ranks = ",\n    ".join(json.dumps(records) for records in _texts(program))
    head = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in table.items())
    return f'{{\n{head},\n  "ranks": [\n    {ranks}\n  ]\n}}\n'


def program_digest(program: Program) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a program's canonical JSON, its kind left out."""
    table = _fields(program) | {"ranks": _texts(program)}
    del table["kind"]
    return hashlib.sha256(json.dumps(table, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def read_program(path: Path) -> Program:
    """Read a program written by `program_json`.

    Raises:
        UserError: the file is missing or damaged, or a record names a stage, copy or microbatch that is not there.
    """
    return _program(load_json(ProgramFile, path, "a program"), f"{path}: ")


def program_from_json(text: str) -> Program:
    """The program that a JSON text holds.

    Raises:
        UserError: as `read_program`.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"the program is damaged at line {error.lineno} ({error.msg}).") from None
    return _program(load(ProgramFile, data, ""), "")


def _texts(program: Program) -> list[list[str]]:
    return [[write_record(record) for record in records] for records in program.ranks]


def _fields(program: Program) -> dict[str, object]:
    return {
        "format": "stretto.program/1",
        "kind": program.kind,
        "stages": program.stages,
        "microbatches": program.microbatches,
        "slices": program.slices,
        "barriers": program.barriers,
        "forward_only": program.forward_only,
        "placement": program.placement,
        "paths": program.paths,
    }


def _program(file: ProgramFile, where: str) -> Program:
    ranks: list[tuple[Record, ...]] = []
    for number, texts in enumerate(file.ranks):
        try:
            ranks.append(tuple(map(read_record, texts)))
        except UserError as error:
            raise UserError(f"{where}rank {number}: {error}") from None
    program = Program(
        ranks=tuple(ranks),
        stages=file.stages,
        microbatches=file.microbatches,
        placement=file.placement,
        slices=file.slices,
        paths=file.paths,
        barriers=file.barriers,
        forward_only=file.forward_only,
        kind=file.kind,
    )
    try:
        check_indices(program)
    except UserError as error:
        raise UserError(f"{where}{error}") from None
    return program


def check_indices(program: Program) -> None:
    """Refuse a program whose records or maps name something that it does not have.

    Raises:
        UserError: naming the first of them.
    """
    ranks, stages = len(program.ranks), program.stages
    for name in ("stages", "microbatches", "slices"):
        if getattr(program, name) < 1:
            raise bad_value(name, getattr(program, name), "at least 1")
    slots = stages * program.microbatches * program.slices * len(program.placement)
    if slots > _MOST_SLOTS:
        raise UserError(f"stages x microbatches x slices x copies is {slots:,}; expected at most {_MOST_SLOTS:,}.")
    for copy, row in enumerate(program.placement):
        if len(row) != stages:
            raise bad_value(f"placement[{copy}]", list(row), f"a rank for each of {stages} stages")
        if any(not 0 <= rank < ranks for rank in row):
            raise bad_value(f"placement[{copy}]", list(row), f"ranks from 0 to {ranks - 1}")
    if program.paths and len(program.paths) != program.microbatches:
        raise bad_value("paths", f"{len(program.paths)} paths", f"one for each of {program.microbatches} microbatches")
    for microbatch, path in enumerate(program.paths):
        if not path or len(set(path)) != len(path) or any(not 0 <= stage < stages for stage in path):
            raise bad_value(f"paths[{microbatch}]", list(path), f"different stages from 0 to {stages - 1}")
    _check_records(program)


def _check_records(program: Program) -> None:
    stages, microbatches = program.stages, program.microbatches
    slices, copies = program.slices, len(program.placement)
    limits = {"stage": stages, "microbatch": microbatches, "slice": slices, "copy": copies}
    for rank, records in enumerate(program.ranks):
        for record in records:
            if isinstance(record, Compute):  # the same check without looking names up: nearly all records are passes
                _, stage, microbatch, piece, copy, _ = record
                if (
                    0 <= stage < stages
                    and 0 <= microbatch < microbatches
                    and 0 <= piece < slices
                    and 0 <= copy < copies
                ):
                    continue
            if isinstance(record, Pair) and (record.forward.kind != "F" or record.backward.kind not in "BI"):
                raise bad_value(f"rank {rank}", write_record(record), "a pair of a forward and a backward")
            for part in passes_of(record) or (record,):
                for name, limit in limits.items():
                    if not 0 <= getattr(part, name, 0) < limit:
                        expected = f"a {name} from 0 to {limit - 1}"
                        raise bad_value(f"rank {rank}", write_record(record), expected)
