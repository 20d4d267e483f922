"""Simulate a program: when every record begins and ends, what ranks waited for, what they stored.

Without a network and without noise this is `schedule.timing`, a fraction of a microsecond a record. With a bandwidth
that messages share, or with passes that do not always take the same time, it is played on the event kernel: a stream
a rank that does its records in order, wires that carry messages meanwhile. That takes 10 to 40 microseconds a record.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

from stretto.schedule.graph import EARLY, Graph, build
from stretto.schedule.timing import Timing, duration, durations, timing
from stretto.simulate.kernel import Kernel, Signal, when_all
from stretto.simulate.links import Link as Wire
from stretto.simulate.messages import Link, contents, messages
from stretto.simulate.network import Network
from stretto.simulate.randomness import Source
from stretto.simulate.resources import Stream, Task
from stretto.simulate.simulation import Simulation
from stretto.spec.costs import PassCosts
from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Pair, Pass, Program, Vocabulary
from stretto.spec.program_text import write_record


def simulate(
    program: Program, costs: PassCosts, *, network: Network | None = None, jitter: float = 0.0, seed: int = 0
) -> Simulation:
    """Run a program in virtual time.

    Args:
        program: one whose indices are in range.
        costs: times and sizes of passes.
        network: what carries messages; none: each takes the costs' `transfer` and holds up no other.
        jitter: noise of every pass's time: it is multiplied by a log-normal number with mean 1, whose logarithm
            deviates by this much. A pass (its kind, stage, microbatch, slice and copy; a vocabulary pass's rank too)
            has the same luck in every program.
        seed: of the noise.

    Raises:
        UserError: the program never finishes, or costs, network or noise do not fit it.
    """
    if not 0 <= jitter < math.inf:
        raise bad_value("jitter", jitter, "a finite number of at least 0")
    wires = network or Network()
    costs = wires.hops(costs)
    quiet = timing(build(program), costs)  # Also refuses programs that never finish.
    if network is None and jitter == 0:
        return Simulation(program, costs, quiet)
    graph = quiet.graph
    lasts = _noisy(graph, costs, jitter, seed) if jitter else durations(graph, costs)
    played, sent = _Run(graph, costs, wires, lasts).played()
    return Simulation(program, costs, played, sent)


def _noisy(graph: Graph, costs: PassCosts, jitter: float, seed: int) -> list[float]:
    """The durations of `schedule.timing`, every pass with its own factor; a pair's follows from its two passes'."""
    program = graph.program
    lasts, quiet = durations(graph, costs), duration(program, costs)
    sources = {kind: Source(seed, f"time of {kind}") for kind in "FBIWESTG"}

    def factor(part: Pass, rank: int) -> float:
        if isinstance(part, Vocabulary):
            number = graph.slot(part.copy, 0, part.microbatch, part.slice) * len(program.ranks) + rank
        else:
            number = graph.slot(part.copy, part.stage, part.microbatch, part.slice)
        return sources[part.kind].factor(number, jitter)

    for node, record in enumerate(graph.records):
        if isinstance(record, Compute | Vocabulary):
            lasts[node] *= factor(record, graph.rank[node])
        elif isinstance(record, Pair):
            first, second = (quiet(part) * factor(part, graph.rank[node]) for part in record[:2])
            lasts[node] = max(first, second, costs.pair * (first + second))
    for number, (kind, source) in enumerate(graph.virtual, len(graph.records)):
        record = graph.records[source] if kind == EARLY else None
        if isinstance(record, Pair):
            forward = quiet(record.forward) * factor(record.forward, graph.rank[source])
            lasts[number] = min(forward, lasts[source])
    return lasts


class _Run:
    """A program on the kernel: tasks, the signals that they wait for, and the wires between ranks."""

    def __init__(self, graph: Graph, costs: PassCosts, network: Network, lasts: list[float]) -> None:
        self.graph, self.costs, self.network, self.lasts = graph, costs, network, lasts
        self.kernel = Kernel()
        self.tasks = [Task(lasts[node]) for node in range(len(graph.records))]
        self.over = [task.done for task in self.tasks] + [Signal() for _ in graph.virtual]
        self.wires: dict[tuple[int, ...], Wire] = {}
        self.sent: list[Link] = []
        self.needs: list[list[Signal]] = [[self.over[i] for i in inputs] for inputs in graph.inputs]
        """Per node, what says that each of its inputs is there."""

    def played(self) -> tuple[Timing, tuple[Link, ...]]:
        """Play it to the end."""
        graph = self.graph
        self._connect_ranks()
        self._connect_virtual()
        streams = [Stream(self.kernel) for _ in graph.program.ranks]
        for node, task in enumerate(self.tasks):
            streams[graph.rank[node]].submit(task, self.needs[node])
        self.kernel.run()
        start = [_time(task.started) for task in self.tasks]
        end = [_time(signal) for signal in self.over]
        for number, (kind, _) in enumerate(graph.virtual, len(start)):
            start.append(end[number] if kind == EARLY else max((end[i] for i in graph.inputs[number]), default=0.0))
        return Timing(graph, start, end, self._causes(end)), tuple(self.sent)

    def _connect_ranks(self) -> None:
        graph, sizes = self.graph, self.network.sizes(self.graph.program)
        for message in messages(graph):
            what, reader = contents(graph, message)
            arrived = Signal()
            place = graph.inputs[message.node].index(message.source) + message.turn
            self.needs[message.node][place] = arrived
            size = sizes(what, reader)
            send = partial(self._send, message.sender, message.receiver, what, size, arrived)
            self.over[message.source].then(send)

    def _connect_virtual(self) -> None:
        graph, kernel = self.graph, self.kernel
        for number, (kind, source) in enumerate(graph.virtual, len(graph.records)):
            if kind == EARLY:
                self.tasks[source].started.then(partial(kernel.later, self.lasts[number], self.over[number]))
            else:
                inputs = [self.over[i] for i in graph.inputs[number]]
                when_all(inputs, partial(kernel.later, self.costs.collective, self.over[number]))

    def _send(self, sender: int, receiver: int, what: Compute, size: float, arrived: Signal) -> None:
        key = self.network.wire(sender, receiver)
        if key not in self.wires:
            self.wires[key] = Wire(self.kernel, self.network.bandwidth or math.inf, self.network.contention)
        begin = self.kernel.now
        there = self.wires[key].send(size, self.costs.link(sender, receiver))
        there.then(partial(self._arrive, sender, receiver, what, begin, arrived))

    def _arrive(self, sender: int, receiver: int, what: Compute, begin: float, arrived: Signal) -> None:
        self.sent.append((sender, receiver, write_record(what), begin, self.kernel.now))
        arrived.fire(self.kernel.now)

    def _causes(self, end: list[float]) -> list[int]:
        """Per record the input that came last, where it came after the rank was free (as `schedule.timing` has it)."""
        graph = self.graph
        causes = [-1] * graph.nodes
        for first, after in pairwise(graph.first):
            free = 0.0
            for node in range(first, after):
                for source, signal in zip(graph.inputs[node], self.needs[node], strict=True):
                    if _time(signal) > free:
                        free, causes[node] = _time(signal), source
                free = end[node]
        return causes


def _time(signal: Signal) -> float:
    assert signal.time is not None, "a program without a cycle plays to its end"
    return signal.time
