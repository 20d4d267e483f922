"""The schedule files of torch.distributed.pipelining: a row for every rank, a cell for every action, in order.

    cell       = stage ("F" | "B" | "I" | "W") microbatch              the passes, as this package names them
               | "(" stage "F" microbatch ";" stage ("B" | "I") microbatch ")OVERLAP_F_B"      a pair
               | stage ("SEND_F" | "RECV_F" | "SEND_B" | "RECV_B") microbatch
               | stage ("UNSHARD" | "RESHARD" | "REDUCE_GRAD")
               | ""                                                    nothing: padding, left out

A file of passes alone (torch's ``compute_only``) is a `Program`; one with sends and receives (``compute_comms``) is a
`Lowered`, taken as written, for `schedule.verify` to judge. ``UNSHARD`` is our gather and ``REDUCE_GRAD`` our reduce;
``RESHARD`` is read and left out, since it only frees memory. The form is that of ``_load_csv`` in torch 2.13.
Time and memory are linear in the cells.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from stretto.spec.errors import UserError, bad_value
from stretto.spec.lowered import Collective, Exchange, Lowered, Receive, Send, Step, write_step
from stretto.spec.program import Compute, Pair, Program, Record, State, passes_of

_NUMBER: Final = "[0-9]{1,6}"
_ACTION: Final = re.compile(rf"({_NUMBER})(F|B|I|W|SEND_F|RECV_F|SEND_B|RECV_B)({_NUMBER})")
_STATE: Final = re.compile(rf"({_NUMBER})(UNSHARD|RESHARD|REDUCE_GRAD)")
_PAIR: Final = re.compile(rf"\(\s*({_NUMBER})F({_NUMBER})\s*;\s*({_NUMBER})(B|I)({_NUMBER})\s*\)OVERLAP_F_B")
_EXPECTED: Final = "an action such as 0F1, 2B3, 0I1, 0W1, (0F4;3B1)OVERLAP_F_B, 0SEND_F1, 1RECV_F1 or 0REDUCE_GRAD"


class _Transfer(NamedTuple):
    """A send or receive as torch names it: by the stage at this end."""

    kind: Literal["SEND_F", "RECV_F", "SEND_B", "RECV_B"]
    stage: int
    microbatch: int


class _Reshard(NamedTuple):
    """Frees gathered parameters."""

    stage: int


_Action: TypeAlias = Compute | Pair | State | _Transfer | _Reshard


class _Cell(NamedTuple):
    """An action, and where it stood."""

    row: int
    column: int
    text: str
    action: _Action

    def wrong(self, expected: str) -> UserError:
        """The sentence for a cell that cannot be so."""
        return bad_value(f"row {self.row + 1}, cell {self.column + 1}", self.text, expected)


class _Maps(NamedTuple):
    """What the passes of a file say about it."""

    placement: dict[int, int]
    """Stage -> rank."""
    microbatches: int
    backward: dict[tuple[int, int], Literal["B", "I"]]
    """(stage, microbatch) -> the pass that makes its input gradient."""


def read_torch_csv(path: Path) -> Program | Lowered:
    """Read a schedule file of torch.

    Raises:
        UserError: it is missing or damaged; `read_csv` says what else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; expected a schedule file of torch.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a schedule file of torch: {error}.") from None
    try:
        return read_csv(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_csv(text: str) -> Program | Lowered:
    """What a schedule file of torch holds: a program, or with sends and receives a lowered one.

    Raises:
        UserError: a cell is no action, or is at odds with the others: naming row and cell, from 1.
    """
    rows = _cells(text)
    maps = _maps(rows)
    steps = tuple(tuple(_steps(row, maps)) for row in rows)
    records = tuple(tuple(step for step in row if _is_record(step)) for row in steps)
    placement = tuple(maps.placement[stage] for stage in range(len(maps.placement)))
    program = Program(
        ranks=cast("tuple[tuple[Record, ...], ...]", records),
        stages=len(placement),
        microbatches=maps.microbatches,
        placement=(placement,),
    )
    return program if records == steps else Lowered(program=program, ranks=steps)


def _is_record(step: Step) -> bool:
    return not isinstance(step, Send | Receive | Exchange | Collective)


def _cells(text: str) -> list[list[_Cell]]:
    rows: list[list[_Cell]] = []
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise UserError(f"the text is not comma-separated values: {error}.") from None
    for number, line in enumerate(lines):
        texts = [(column, cell.strip()) for column, cell in enumerate(line)]
        row = [_Cell(number, column, cell, _action(number, column, cell)) for column, cell in texts if cell]
        if not row:
            raise UserError(f"row {number + 1} has no actions; expected those of rank {number}.")
        rows.append(row)
    if not rows:
        raise UserError("the text is empty; expected a row of actions for every rank.")
    return rows


def _action(row: int, column: int, text: str) -> _Action:
    if found := _ACTION.fullmatch(text):
        stage, kind, microbatch = int(found[1]), found[2], int(found[3])
        if len(kind) == 1:
            return Compute(cast("Literal['F', 'B', 'I', 'W']", kind), stage, microbatch)
        return _Transfer(cast("Literal['SEND_F', 'RECV_F', 'SEND_B', 'RECV_B']", kind), stage, microbatch)
    if found := _STATE.fullmatch(text):
        if found[2] == "RESHARD":
            return _Reshard(int(found[1]))
        return State("gather" if found[2] == "UNSHARD" else "reduce", int(found[1]))
    if found := _PAIR.fullmatch(text):
        forward = Compute("F", int(found[1]), int(found[2]))
        return Pair(forward, Compute(cast("Literal['B', 'I']", found[4]), int(found[3]), int(found[5])))
    raise bad_value(f"row {row + 1}, cell {column + 1}", text, _EXPECTED)


def _maps(rows: list[list[_Cell]]) -> _Maps:
    placement: dict[int, int] = {}
    microbatches: set[int] = set()
    backward: dict[tuple[int, int], Literal["B", "I"]] = {}
    for cell, part in _passes(rows):
        if placement.setdefault(part.stage, cell.row) != cell.row:
            holder = placement[part.stage] + 1
            raise cell.wrong(f"every stage on one rank, and row {holder} computes stage {part.stage} too")
        microbatches.add(part.microbatch)
        if part.kind in ("B", "I"):
            backward[part.stage, part.microbatch] = part.kind
    for what, found in (("stage", placement.keys()), ("microbatch", microbatches)):
        last = max(found, default=-1)
        if last + 1 != len(found):
            missing = next(i for i in range(last) if i not in found)
            raise UserError(f"no row computes {what} {missing}; expected every {what} from 0 to {last}.")
    if not placement:
        raise UserError("no row computes anything; expected passes such as 0F1.")
    return _Maps(placement, len(microbatches), backward)


def _passes(rows: Iterable[Iterable[_Cell]]) -> Iterator[tuple[_Cell, Compute]]:
    for row in rows:
        for cell in row:
            if isinstance(cell.action, Compute | Pair):
                for part in passes_of(cell.action):
                    yield cell, cast("Compute", part)


def _steps(row: list[_Cell], maps: _Maps) -> Iterator[Step]:
    for cell in row:
        action = cell.action
        if isinstance(action, Compute | Pair):
            yield action
            continue
        home = maps.placement.get(action.stage)
        if home != cell.row:
            where = "no row" if home is None else f"row {home + 1}"
            raise cell.wrong(f"a stage that this row computes, and {where} computes stage {action.stage}")
        if isinstance(action, State):
            yield action
        elif isinstance(action, _Transfer):
            yield _communication(cell, action, maps)


def _communication(cell: _Cell, transfer: _Transfer, maps: _Maps) -> Send | Receive:
    kind, stage, microbatch = transfer
    other = stage + (1 if kind in ("SEND_F", "RECV_B") else -1)
    peer = maps.placement.get(other)
    if peer is None:
        raise cell.wrong(f"a stage with a neighbour {'after' if other > stage else 'before'} it")
    if peer == cell.row:
        raise cell.wrong(f"a neighbour on another rank, and this row computes stage {other} too")
    if microbatch >= maps.microbatches:
        raise cell.wrong(f"a microbatch from 0 to {maps.microbatches - 1}")
    source = stage if kind.startswith("SEND") else other
    made_by = "F" if kind.endswith("F") else maps.backward.get((source, microbatch), "B")
    what = Compute(made_by, source, microbatch)
    return Send(what, peer) if kind.startswith("SEND") else Receive(what, peer)


def write_compute_csv(program: Program) -> str:
    """The text that torch's ``_load_csv(..., format="compute_only")`` reads.

    torch's runtime adds communication, gathers and reductions of its own when it reads it.

    Raises:
        UserError: the form cannot hold the program; the sentence says why.
    """
    _check(program)
    return _text(program.ranks, lambda rank, record: [_pass(rank, record)])


def write_comms_csv(lowered: Lowered) -> str:
    """The text that torch's ``_load_csv(..., format="compute_comms")`` reads.

    The form has no exchange: the lower rank of its two sends first, the other receives first, so that neither waits
    for a send that waits for it. torch scales gradients where it reduces them, so a program without reductions gets
    one for every stage, behind the stage's last weight gradient. Stages that torch's FSDP shards need gathers.

    Raises:
        UserError: the form cannot hold the program; the sentence says why.
    """
    program = lowered.program
    _check(program)
    ranks = lowered.ranks
    if not any(isinstance(step, State) and step.kind == "reduce" for steps in ranks for step in steps):
        ranks = tuple(tuple(_with_reductions(steps)) for steps in ranks)
    return _text(ranks, _step)


def _check(program: Program) -> None:
    whole = {
        "copies": (program.copies, 1, "1: every stage has one rank"),
        "slices": (program.slices, 1, "1: sequences are whole"),
        "barriers": (program.barriers, 0, "0: the vocabulary belongs to the first and the last stage"),
        "forward_only": (program.forward_only, False, "False: every forward has a backward"),
    }
    for name, (value, expected, why) in whole.items():
        if value != expected:
            raise _refused(f"program.{name}", value, why)
    for microbatch in range(len(program.paths)):
        path = program.path(microbatch)
        if path != tuple(range(program.stages)):
            raise _refused(f"program.paths[{microbatch}]", list(path), "every stage in order")
    for rank, records in enumerate(program.ranks):
        if not any(passes_of(record) for record in records):
            raise _refused(f"program.ranks[{rank}]", [write_step(r) for r in records], "a rank with passes")


def _refused(field: str, value: object, expected: str) -> UserError:
    return bad_value(field, value, expected, "torch's schedule files have no form for it")


def _text(ranks: tuple[tuple[Step, ...], ...], cells: Callable[[int, Step], list[str]]) -> str:
    rows = ([cell for step in steps for cell in cells(rank, step)] for rank, steps in enumerate(ranks))
    return "".join(",".join(row) + "\n" for row in rows)


def _pass(rank: int, step: Step) -> str:
    if isinstance(step, Compute):
        if step.version:
            raise _refused(f"rank {rank}", write_step(step), "a pass that reads weight version 0")
        return f"{step.stage}{step.kind}{step.microbatch}"
    if isinstance(step, Pair):
        if step.early_output:
            raise _refused(f"rank {rank}", write_step(step), "a pair whose results both leave at its end")
        return f"({_pass(rank, step.forward)};{_pass(rank, step.backward)})OVERLAP_F_B"
    raise _refused(f"rank {rank}", write_step(step), "passes and pairs alone, in a file without communication")


def _step(rank: int, step: Step) -> list[str]:
    if isinstance(step, Send):
        return [f"{step.what.stage}SEND_{'F' if step.what.kind == 'F' else 'B'}{step.what.microbatch}"]
    if isinstance(step, Receive):
        forward = step.what.kind == "F"
        return [f"{step.what.stage + (1 if forward else -1)}RECV_{'F' if forward else 'B'}{step.what.microbatch}"]
    if isinstance(step, Exchange):
        order = (step.send, step.receive) if rank < step.peer else (step.receive, step.send)
        return [cell for part in order for cell in _step(rank, part)]
    if isinstance(step, State):
        if step.kind not in ("gather", "reduce") or step.version:
            raise _refused(f"rank {rank}", write_step(step), "no optimizer step: torch's runs after the schedule")
        return [f"{step.stage}{'UNSHARD' if step.kind == 'gather' else 'REDUCE_GRAD'}"]
    if isinstance(step, Compute | Pair):
        return [_pass(rank, step)]
    raise _refused(f"rank {rank}", write_step(step), "passes, sends, receives, gathers and reductions")


def _with_reductions(steps: tuple[Step, ...]) -> Iterator[Step]:
    last: dict[int, int] = {}
    for place, step in enumerate(steps):
        if isinstance(step, Compute | Pair):
            last |= {p.stage: place for p in passes_of(step) if isinstance(p, Compute) and p.kind in ("B", "W")}
    for place, step in enumerate(steps):
        yield step
        yield from (State("reduce", stage) for stage, end in last.items() if end == place)
