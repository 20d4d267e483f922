"""Which results go from one rank to another: the edges of a program's graph, as messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stretto.schedule.graph import EARLY, Graph
from stretto.schedule.timing import Timing
from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute, Pair, Program, passes_of
from stretto.spec.program_text import write_record

Link = tuple[int, int, str, float, float]
"""A message that was sent: sender, receiver, what, when it was sent, when it had arrived."""


class Message(NamedTuple):
    """The result of one pass, for a record of another rank."""

    source: int
    """The node that sends: a record, or a pair's early output."""
    node: int
    """The record that needs it."""
    sender: int
    receiver: int
    turn: int = 0
    """1 for the second of two messages from one pair to another."""


def messages(graph: Graph) -> Iterator[Message]:
    """Every message of a program, by reader; collectives are none. A pair that needs two results has two."""
    rank, count = graph.rank, len(graph.records)
    for node in range(count):
        inputs = graph.inputs[node]
        for number, source in enumerate(inputs):
            record = source
            if source >= count:
                kind, record = graph.virtual[source - count]
                if kind != EARLY:
                    continue
            if rank[record] != rank[node]:
                yield Message(source, node, rank[record], rank[node], inputs[:number].count(source))


def contents(graph: Graph, message: Message) -> tuple[Compute, int]:
    """The pass whose result a message is, and the stage that reads it."""
    count = len(graph.records)
    early = message.source >= count
    record = graph.records[graph.virtual[message.source - count][1] if early else message.source]
    readers = [r for r in passes_of(graph.records[message.node]) if isinstance(r, Compute)]
    if isinstance(record, Compute):
        forward = record.kind == "F"
        return record, next(r.stage for r in readers if (r.kind == "F") == forward)
    assert isinstance(record, Pair)
    sent = (record.forward,) if early else (record.backward,) if record.early_output else record[:2]
    return [(what, r.stage) for r in readers for what in sent if _reads(graph.program, r, what)][message.turn]


def _reads(program: Program, reader: Compute, what: Compute) -> bool:
    forward = what.kind == "F"
    if reader[2:5] != what[2:5] or (reader.kind == "F") != forward:
        return False
    ahead = what.stage, reader.stage
    if program.paths:
        path = program.paths[what.microbatch]
        ahead = path.index(what.stage), path.index(reader.stage)
    return ahead[1] - ahead[0] == (1 if forward else -1)


def timed(timing: Timing, costs: PassCosts) -> Iterator[Link]:
    """Every message of a run in which none holds up another."""
    end = timing.end
    for message in messages(timing.graph):
        sent = end[message.source]
        what = write_record(contents(timing.graph, message)[0])
        yield message.sender, message.receiver, what, sent, sent + costs.link(message.sender, message.receiver)
