"""Lowered: a program with its communication written out, as an executor runs it or a file from elsewhere states it.

What a rank does is still one list, in order. Communication records start something and go on: `Send` hands a result
over, `Receive` posts the place for one, and the record that needs a result waits for it. Between two ranks messages
are matched in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from stretto.spec.program import Compute, Program, Record
from stretto.spec.program_text import write_record


class Send(NamedTuple):
    """Hands the result of pass `what`, done before, to rank `peer`."""

    what: Compute
    peer: int


class Receive(NamedTuple):
    """Posts the place for the result of pass `what`, which rank `peer` sends."""

    what: Compute
    peer: int


class Exchange(NamedTuple):
    """A send and a receive between the same two ranks, started as one: neither side has to go first."""

    send: Send
    receive: Receive

    @property
    def peer(self) -> int:
        """The other rank."""
        return self.send.peer


class Collective(NamedTuple):
    """Starts a collective of `ranks` on the result of `what`, which is done on the ranks that contribute.

    ``broadcast`` from the one that did `what`; ``reduce`` to the rank of the pass that waits; ``all-reduce``. Sums of
    parameters' gradients are no records of their own: ``reduce`` and ``update`` are (`spec.program.State`).
    """

    kind: Literal["broadcast", "reduce", "all-reduce"]
    what: Record
    ranks: tuple[int, ...]


Communication: TypeAlias = Send | Receive | Exchange | Collective
Step: TypeAlias = Record | Communication


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A program and, per rank, its records with the communication among them."""

    program: Program
    ranks: tuple[tuple[Step, ...], ...]


def message(what: Compute) -> tuple[bool, int, int, int, int]:
    """What names the result of a pass: (a forward's, stage, microbatch, slice, copy).

    A reader of a gradient need not know whether B or I made it.
    """
    return (what.kind == "F", *what[1:5])


def write_step(step: Step) -> str:
    """The text of a step: ``send F3.12 to 4``, ``receive I4.7 from 4``, ``all-reduce S12``, or the record's."""
    match step:
        case Send(what, peer):
            return f"send {write_record(what)} to {peer}"
        case Receive(what, peer):
            return f"receive {write_record(what)} from {peer}"
        case Exchange(send, receive):
            return f"{write_step(send)} and {write_step(receive)}"
        case Collective(kind, what, _):
            return f"{kind} {write_record(what)}"
        case _:
            return write_record(step)
