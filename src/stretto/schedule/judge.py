"""Whether the communication of a lowered program works as written, with buffered and with rendezvous messages.

Two models, the ends of what transports do:

buffered     a send hands its message over and goes on; messages from one rank to another arrive in order (gloo, and
             MPI's eager protocol).
rendezvous   a send holds its rank until the peer has posted the receive; between two ranks messages go one at a time,
             in the order in which each side started them, but for the parts of an exchange (NCCL's streams, and MPI's
             synchronous sends). What works so works buffered too.

In both, a receive is posted and the rank goes on; a record waits for what it needs. Time is linear in the steps.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import TypeAlias

from stretto.schedule.finding import Finding, Stuck, ring, told
from stretto.schedule.graph import Graph, result_of
from stretto.schedule.lower import collectives
from stretto.spec.lowered import Collective, Exchange, Lowered, Receive, Send, write_step
from stretto.spec.program import Compute
from stretto.spec.program_text import write_record


def judge(lowered: Lowered, graph: Graph, rendezvous: bool) -> Finding | None:
    """Run the steps of a lowered program; what stops it, or None.

    Args:
        lowered: whose records are those of its program, in order.
        graph: of its program; its order is known to be good.
        rendezvous: whether sends wait for their receives.
    """
    if (other := _other_records(lowered)) is not None:
        return other
    run = _Run(lowered, graph, rendezvous)
    run.go()
    return run.crossed or run.finding()


def _other_records(lowered: Lowered) -> Finding | None:
    if len(lowered.ranks) != len(lowered.program.ranks):
        return Finding(f"there are steps of {len(lowered.ranks)} ranks; the program has {len(lowered.program.ranks)}.")
    for rank, (steps, records) in enumerate(zip(lowered.ranks, lowered.program.ranks, strict=True)):
        communication = (Send, Receive, Exchange, Collective)
        if tuple(step for step in steps if not isinstance(step, communication)) != records:
            return Finding(f"rank {rank}: the records among the communication are not those of the program.")
    return None


_Group: TypeAlias = list[Send | Receive]


class _Run:
    """The state of all ranks and channels."""

    def __init__(self, lowered: Lowered, graph: Graph, rendezvous: bool) -> None:
        self.steps, self.graph, self.rendezvous = lowered.ranks, graph, rendezvous
        ranks = len(self.steps)
        self.at = [0] * ranks
        self.node = graph.first[:-1].copy()
        self.sent: set[Compute] = set()
        self.arrived: set[tuple[int, Compute]] = set()
        self.done = bytearray(graph.nodes)
        self.waiting: dict[tuple[int, Compute] | int, list[int]] = defaultdict(list)
        self.holding: dict[int, Send] = {}
        self.channels: dict[tuple[int, int], deque[_Group]] = defaultdict(deque)
        self.turns: dict[tuple[int, tuple[int, ...]], int] = defaultdict(int)
        self.started: dict[tuple[tuple[int, ...], int], list[tuple[int, Collective]]] = defaultdict(list)
        self.results: dict[Collective, list[int]] = defaultdict(list)
        for node, step in collectives(graph):
            self.results[step].append(node)
            self.done[node] = len(step.ranks) == 1
        self.sums = _sums(graph)
        self.crossed: Finding | None = None
        self.awake = list(range(ranks))

    def go(self) -> None:
        while self.awake and self.crossed is None:
            self._advance(self.awake.pop())

    def _advance(self, rank: int) -> None:
        steps = self.steps[rank]
        count = len(steps)
        while self.at[rank] < count and rank not in self.holding and self.crossed is None:
            step = steps[self.at[rank]]
            if isinstance(step, Send | Receive):
                self._post(rank, step.peer, [step])
            elif isinstance(step, Exchange):
                self._post(rank, step.peer, [step.send, step.receive])
            elif isinstance(step, Collective):
                self._join(rank, step)
            else:
                missing = self._missing(self.node[rank])
                if missing is not None:
                    self.waiting[missing if isinstance(missing, int) else (rank, missing)].append(rank)
                    return
                self._finish(self.node[rank])
                self.node[rank] += 1
            self.at[rank] += 1

    def _finish(self, node: int) -> None:
        """A record is done, and with it perhaps the last part of a sum."""
        self.done[node] = 1
        for total in self.sums.get(node, ()):
            if all(self.done[part] for part in self.graph.inputs[total]):
                self.done[total] = 1
                self.awake += self.waiting.pop(total, ())

    def _missing(self, node: int) -> Compute | int | None:
        """What a record needs and its rank does not have: a pass's result, or a virtual node's."""
        inputs = self.graph.inputs[node]
        if not inputs:
            return None
        for place, source in enumerate(inputs):
            needed = result_of(self.graph, node, place)
            if needed is None:
                if not self.done[source]:
                    return source
            elif (self.graph.rank[node], needed) not in self.arrived:
                return needed
        return None

    def _post(self, rank: int, peer: int, group: _Group) -> None:
        if (wrong := self._impossible(rank, peer, group)) is not None:
            self.crossed = wrong
            return
        if self.rendezvous:
            if isinstance(group[0], Send):
                self.holding[rank] = group[0]
            self.channels[rank, peer].append(group)
            self._meet(rank, peer)
            return
        for op in group:
            ends = (rank, peer) if isinstance(op, Send) else (peer, rank)
            queue = self.channels[ends]
            if queue and type(queue[0][0]) is not type(op):
                self._match(ends, queue.popleft()[0], op)
            else:
                queue.append([op])

    def _match(self, ends: tuple[int, int], one: Send | Receive, other: Send | Receive) -> None:
        if one.what != other.what:
            sent, wanted = (one, other) if isinstance(one, Send) else (other, one)
            self.crossed = _crossing(ends, sent.what, wanted.what)
        else:
            self._deliver(ends[1], one.what)

    def _meet(self, rank: int, peer: int) -> None:
        """Let the first messages of both sides of a channel happen, as long as they fit."""
        mine, theirs = self.channels[rank, peer], self.channels[peer, rank]
        if not theirs:
            return
        while mine and theirs:
            happened = False
            for op in list(mine[0]):
                other = next((o for o in theirs[0] if o.what == op.what and type(o) is not type(op)), None)
                if other is None:
                    continue
                happened = True
                mine[0].remove(op)
                theirs[0].remove(other)
                sender = rank if isinstance(op, Send) else peer
                self.holding.pop(sender, None)
                self.awake.append(sender)
                self._deliver(peer if isinstance(op, Send) else rank, op.what)
            if not happened:
                self._look_for_crossing(rank, peer, mine[0], theirs[0])
                return
            for queue in (mine, theirs):
                if queue and not queue[0]:
                    queue.popleft()

    def _look_for_crossing(self, rank: int, peer: int, mine: _Group, theirs: _Group) -> None:
        if len(mine) == len(theirs) == 1 and type(mine[0]) is not type(theirs[0]):
            ends = (rank, peer) if isinstance(mine[0], Send) else (peer, rank)
            self._match(ends, mine[0], theirs[0])

    def _deliver(self, rank: int, what: Compute) -> None:
        self.arrived.add((rank, what))
        if (rank, what) in self.waiting:
            self.awake += self.waiting.pop((rank, what))

    def _impossible(self, rank: int, peer: int, group: _Group) -> Finding | None:
        """A message to nobody, or of what its rank has not computed."""
        if peer == rank or not 0 <= peer < len(self.steps):
            return Finding(f"rank {rank}: {write_step(group[0])} names no other rank.")
        if isinstance(group[0], Send):
            if group[0].what in self.sent:
                return Finding(f"rank {rank} sends {write_record(group[0].what)} a second time.")
            self.sent.add(group[0].what)
            what, graph = group[0].what, self.graph
            table = graph.forward if what.kind == "F" else graph.backward
            node = table[graph.slot(what.copy, what.stage, what.microbatch, what.slice)]
            if node < 0 or graph.rank[node] != rank or not self.done[node]:
                text = write_record(what)
                where = Stuck(rank, self.at[rank], write_step(group[0]))
                return Finding(f"rank {rank} sends {text} to rank {peer}, which it has not computed by then.", (where,))
        return None

    def _join(self, rank: int, step: Collective) -> None:
        nodes = self.results.get(step)
        parts = [p for node in nodes or () for p in self.graph.inputs[node] if self.graph.rank[p] == rank]
        if nodes is None or rank not in step.ranks or not all(self.done[part] for part in parts):
            why = (
                "which nothing needs" if nodes is None else "before its part of it is computed, or without being in it"
            )
            self.crossed = Finding(f"rank {rank} starts {write_step(step)}, {why}.")
            return
        self.turns[rank, step.ranks] += 1
        here = self.started[step.ranks, self.turns[rank, step.ranks]]
        here.append((rank, step))
        first, started = here[0]
        if started != step:
            texts = f"rank {first} starts {write_step(started)} where rank {rank} starts {write_step(step)}"
            self.crossed = Finding(f"{texts}; collectives must be started in one order.")
        elif len(here) == len(step.ranks):
            for node in self.results.get(step, ()):
                self.done[node] = 1
                if node in self.waiting:
                    self.awake += self.waiting.pop(node)

    def finding(self) -> Finding | None:
        """Who waits for whom, if anybody still does."""
        stuck = {s.rank: s for s in self._stuck()}
        if not stuck:
            return self._unmatched()
        steps = ring(stuck)
        return Finding(told(steps), steps)

    def _stuck(self) -> Iterator[Stuck]:
        for rank, steps in enumerate(self.steps):
            if rank in self.holding:
                send = self.holding[rank]
                waits = f"rank {send.peer} to receive it"
                yield Stuck(rank, self.at[rank] - 1, write_step(send), waits, send.peer)
            elif self.at[rank] < len(steps):
                needed = self._missing(self.node[rank])
                text = write_step(steps[self.at[rank]])
                yield Stuck(rank, self.at[rank], text, *self._wanted(rank, needed))

    def _wanted(self, rank: int, needed: Compute | int | None) -> tuple[str, int | None]:
        if isinstance(needed, Compute):
            holder = self.graph.program.placement[needed.copy][needed.stage]
            return f"{write_record(needed)} from rank {holder}", holder
        step = next((s for s, nodes in self.results.items() if needed in nodes), None)
        if step is None:
            part = next(p for p in self.graph.inputs[needed or 0] if not self.done[p])
            holder = self.graph.rank[part]
            return f"{write_record(self.graph.records[part])} on rank {holder}, a part of the sum", holder
        there = {r for entries in self.started.values() for r, s in entries if s == step}
        absent = next((r for r in step.ranks if r not in there), None)
        return f"{write_step(step)}, which rank {absent} has not started", absent

    def _unmatched(self) -> Finding | None:
        for (rank, peer), queue in self.channels.items():
            for group in queue:
                for op in group:
                    text = write_record(op.what)
                    if isinstance(op, Send):
                        sender = rank
                        return Finding(f"rank {sender} sends {text} to rank {op.peer}, which never receives it.")
                    receiver = rank if self.rendezvous else peer
                    return Finding(f"rank {receiver} posts a receive of {text}, which rank {op.peer} never sends.")
        for here in self.started.values():
            (first, step), there = here[0], {rank for rank, _ in here}
            absent = next((rank for rank in step.ranks if rank not in there), None)
            if absent is not None:
                return Finding(f"rank {first} starts {write_step(step)}, which rank {absent} never starts.")
        return None


def _sums(graph: Graph) -> dict[int, list[int]]:
    """Each ``reduce`` -> the sums over ranks that it is a part of: the records themselves communicate."""
    found: dict[int, list[int]] = defaultdict(list)
    for (what, *_), total in graph.collectives.items():
        if what in ("reduce", "norm"):
            for part in graph.inputs[total]:
                found[part].append(total)
    return found


def _crossing(ends: tuple[int, int], sent: Compute, wanted: Compute) -> Finding:
    a, b = ends
    sent_text, wanted_text = write_record(sent), write_record(wanted)
    return Finding(
        f"rank {a} sends {sent_text} to rank {b}, whose next receive from there is for {wanted_text}.",
        (Stuck(a, -1, f"send {sent_text} to {b}", "", b), Stuck(b, -1, f"receive {wanted_text} from {a}", "", a)),
    )
