"""Lowering: the sends, receives and collectives of a program, where each rank has to start them.

All ranks agree on one order of events in time (`schedule.timing`): a message happens when its pass ends. Every rank
does its part of every message in that order, so no set of ranks can wait for each other in a ring, even where a send
holds its rank until the receive is posted. Two changes keep this: a receive is posted one record earlier, unless the
rank has another message with the same peer in between; opposite messages of two ranks at one moment become one
exchange. Time is linear in the records but for a sort of the messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stretto.schedule.graph import Graph, build, result_of
from stretto.schedule.timing import Timing, timing
from stretto.spec.costs import PassCosts
from stretto.spec.lowered import Collective, Communication, Exchange, Lowered, Receive, Send, Step
from stretto.spec.program import Compute, Pair, Program, Vocabulary


@dataclass(slots=True)
class _Events:
    """Messages and collectives as columns: event e happens at ``time[e]``; ``order[e]`` settles ties."""

    time: list[float] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    what: list[Compute | Collective] = field(default_factory=list)
    sender: list[int] = field(default_factory=list)
    receiver: list[int] = field(default_factory=list)
    """-1: a collective."""

    def add(self, time: float, order: int, what: Compute | Collective, sender: int, receiver: int) -> None:
        self.time.append(time)
        self.order.append(order)
        self.what.append(what)
        self.sender.append(sender)
        self.receiver.append(receiver)


@dataclass(slots=True)
class _Lane:
    """A rank's part of the events, in order: event numbers, and before which of its records each comes."""

    events: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)


def lower(program: Program | Graph, costs: PassCosts | None = None) -> Lowered:
    """Write out a program's communication.

    Args:
        program: one that can finish (`schedule.verify`).
        costs: what the order of events is taken from; every order is safe, that of the real costs waits least.

    Raises:
        UserError: the program can never finish.
    """
    graph = program if isinstance(program, Graph) else build(program)
    times = timing(graph, costs or PassCosts())
    place = [0] * graph.nodes
    for position, node in enumerate(graph.order):
        place[node] = position
    events = _Events()
    _messages(graph, times, place, events)
    for node, step in collectives(graph):
        if len(step.ranks) > 1:
            events.add(times.start[node], place[node], step, -1, -1)
    lanes = _lanes(graph, times, place, events)
    fused = _fuse(lanes, events)
    ranks = tuple(_write(graph, rank, lane, events, fused) for rank, lane in enumerate(lanes))
    return Lowered(program=graph.program, ranks=ranks)


def _messages(graph: Graph, times: Timing, place: list[int], events: _Events) -> None:
    """One event for every result that another rank needs."""
    count, rank, end = len(graph.records), graph.rank, times.end
    for node, sources in enumerate(graph.inputs[:count]):
        for nth, source in enumerate(sources):
            origin = graph.virtual[source - count][1] if source >= count else source
            what = result_of(graph, node, nth)
            if what is not None and rank[origin] != rank[node]:
                events.add(end[source], place[origin], what, rank[origin], rank[node])


def collectives(graph: Graph) -> Iterator[tuple[int, Collective]]:
    """The virtual nodes of vocabulary passes, and the collective that each rank has to start for them."""
    everybody = tuple(range(len(graph.program.ranks)))
    for (what, index, piece, copy), node in graph.collectives.items():
        match what:
            case "S" | "T" | "E":
                kind = "all-reduce" if what == "S" else "reduce"
                yield node, Collective(kind, Vocabulary(what, index, piece, copy), everybody)
            case "reduce" | "norm":
                continue
            case _:
                yield node, Collective("broadcast", _broadcast(graph, node, what), everybody)


def _broadcast(graph: Graph, node: int, what: str) -> Compute:
    record = graph.records[graph.virtual[node - len(graph.records)][1]]
    if isinstance(record, Pair):
        return record.forward if what == "hidden" else record.backward
    assert isinstance(record, Compute)
    return record


def _lanes(graph: Graph, times: Timing, place: list[int], events: _Events) -> list[_Lane]:
    """Sort the events and find each one's place among the records of its ranks."""
    first, stop, start = graph.first, graph.first[1:], times.start
    at = first[:-1].copy()
    lanes = [_Lane() for _ in at]
    for time, order, event in sorted(zip(events.time, events.order, range(len(events.time)), strict=True)):
        what = events.what[event]
        both = what.ranks if isinstance(what, Collective) else (events.sender[event], events.receiver[event])
        for rank in both:
            node, end = at[rank], stop[rank]
            while node < end and (start[node] < time or (start[node] == time and place[node] <= order)):
                node += 1
            at[rank] = node
            lane = lanes[rank]
            lane.events.append(event)
            lane.gaps.append(node - first[rank])
    return lanes


def _fuse(lanes: list[_Lane], events: _Events) -> dict[int, int]:
    """Opposite messages that happen at one moment and stand side by side on both ranks: each -> the other."""
    beside: dict[int, int] = {}
    for rank, lane in enumerate(lanes):
        for a, b in _opposite(lane, events):
            if rank < max(events.sender[a], events.receiver[a]):
                if a not in beside:
                    beside[a], beside[b] = b, -1 - a
            elif beside.get(a) == b or beside.get(b) == a:
                beside[a], beside[b] = b, a
    return {a: b for a, b in beside.items() if b >= 0 and beside.get(b) == a}


def _opposite(lane: _Lane, events: _Events) -> Iterator[tuple[int, int]]:
    mine, gaps = lane.events, lane.gaps
    sender, receiver, time = events.sender, events.receiver, events.time
    for a, b, gap, following in zip(mine, mine[1:], gaps, gaps[1:], strict=False):
        opposite = gap == following and sender[a] == receiver[b] >= 0 and sender[b] == receiver[a]
        if opposite and abs(time[a] - time[b]) <= 1e-9 * time[a]:
            yield a, b


def _write(graph: Graph, rank: int, lane: _Lane, events: _Events, fused: dict[int, int]) -> tuple[Step, ...]:
    """A rank's records and its part of the events, receives posted one record early where that is safe."""
    records = graph.program.ranks[rank]
    steps: list[Step] = []
    late: list[Step] = []
    done, gap, skipped = 0, 0, -1
    held: set[int] = set()
    for event, before in zip(lane.events, lane.gaps, strict=True):
        if before != gap:
            steps += records[done:gap]
            steps += late
            steps += records[gap : before - 1]
            late, done, gap = [], before - 1, before
            held.clear()
        if event == skipped:
            continue
        step, peer = _step(rank, event, events)
        if event in fused:
            skipped = fused[event]
            other, _ = _step(rank, skipped, events)
            step = _exchange(step, other)
        elif isinstance(step, Receive) and gap and peer not in held and -1 not in held:
            steps.append(step)
            continue
        late.append(step)
        held.add(peer)
    return (*steps, *records[done:gap], *late, *records[gap:])


def _exchange(one: Communication, other: Communication) -> Exchange:
    if isinstance(one, Receive):
        one, other = other, one
    assert isinstance(one, Send)
    assert isinstance(other, Receive)
    return Exchange(one, other)


def _step(rank: int, event: int, events: _Events) -> tuple[Communication, int]:
    """A rank's part of an event, and the peer: -1 for a collective."""
    what = events.what[event]
    if isinstance(what, Collective):
        return what, -1
    sender, receiver = events.sender[event], events.receiver[event]
    return (Send(what, receiver), receiver) if rank == sender else (Receive(what, sender), sender)
