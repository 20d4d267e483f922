"""What every record of a program waits for, as numbers: the form in which programs are timed, lowered and verified.

Records are numbered rank by rank (node n); behind them come virtual nodes, which no rank computes: a collective of a
vocabulary pass, which ends when its last rank has, and the early output of a pair. Building and walking the graph
takes time and memory linear in the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from stretto.spec.program import Compute, Pair, Pass, Program, Record, State, Vocabulary, passes_of

EARLY: Literal["early"] = "early"
COLLECTIVE: Literal["collective"] = "collective"


@dataclass(slots=True)
class Graph:
    """The dependencies of a program. Lists are indexed by node; treat them as read-only."""

    program: Program
    records: list[Record]
    rank: list[int]
    """The rank of each record."""
    first: list[int]
    """Per rank the number of its first record, and at the end the number of records."""
    inputs: list[tuple[int, ...]]
    """Per node the nodes of other ranks, and virtual nodes, whose results it needs."""
    virtual: list[tuple[Literal["early", "collective"], int]] = field(default_factory=list)
    """Behind the records: a pair's early output (of which node), or a collective (whose result leaves from which)."""
    forward: list[int] = field(default_factory=list)
    """Per slot (`slot`) the node of its F, -1 for none; `backward` that of B or I, `weight` that of W."""
    backward: list[int] = field(default_factory=list)
    weight: list[int] = field(default_factory=list)
    vocabulary: dict[tuple[str, int, int, int], list[int]] = field(default_factory=dict)
    """(kind, microbatch, slice, copy) -> the nodes of that vocabulary pass, one a rank."""
    collectives: dict[tuple[str, int, int, int], int] = field(default_factory=dict)
    """(what, microbatch, slice, copy) -> virtual node; what: hidden, S, T, E or input-gradient. Of states: ("reduce",
    stage, 0, 0), the gradients of all copies; ("norm", 0, 0, 0), the gradients of all stages."""
    reduces: dict[int, list[int]] = field(default_factory=dict)
    """stage -> the nodes of its ``reduce``, one a copy."""
    twice: list[int] = field(default_factory=list)
    """Nodes that compute what an earlier node did."""
    absent: list[tuple[int, Pass]] = field(default_factory=list)
    """(node, pass): a node needs what no record computes."""
    order: list[int] = field(default_factory=list)
    """The nodes in an order in which they can happen; shorter than the nodes where some never can."""

    @property
    def nodes(self) -> int:
        """Records and virtual nodes."""
        return len(self.records) + len(self.virtual)

    @property
    def acyclic(self) -> bool:
        """Whether every record can happen, in the order of its rank."""
        return len(self.order) == self.nodes

    def slot(self, copy: int, stage: int, microbatch: int, slice: int) -> int:
        """The index of a (copy, stage, microbatch, slice) in `forward`, `backward` and `weight`."""
        p = self.program
        return ((copy * p.stages + stage) * p.microbatches + microbatch) * p.slices + slice


def build(program: Program) -> Graph:
    """The graph of a program whose indices are all in range (`spec.program_file.check_indices`)."""
    graph = _number(program)
    _connect(graph)
    _walk(graph)
    return graph


def _number(program: Program) -> Graph:
    slots = program.copies * program.stages * program.microbatches * program.slices
    records = [record for rank in program.ranks for record in rank]
    first = [0]
    for rank in program.ranks:
        first.append(first[-1] + len(rank))
    owner = [number for number, rank in enumerate(program.ranks) for _ in rank]
    graph = Graph(program, records, owner, first, [()] * len(records))
    graph.forward, graph.backward, graph.weight = [-1] * slots, [-1] * slots, [-1] * slots
    tables = {"F": graph.forward, "B": graph.backward, "I": graph.backward, "W": graph.weight}
    stages, microbatches, slices = program.stages, program.microbatches, program.slices

    def place(part: Compute, node: int) -> None:
        kind, stage, microbatch, piece, copy, _ = part
        slot = ((copy * stages + stage) * microbatches + microbatch) * slices + piece
        table = tables[kind]
        if table[slot] >= 0:
            graph.twice.append(node)
        table[slot] = node

    for node, record in enumerate(records):
        if isinstance(record, Compute):
            place(record, node)
        elif isinstance(record, Pair):
            place(record.forward, node)
            place(record.backward, node)
        elif isinstance(record, Vocabulary):
            graph.vocabulary.setdefault((record.kind, *record[1:]), []).append(node)
        elif isinstance(record, State) and record.kind == "reduce":
            graph.reduces.setdefault(record.stage, []).append(node)
    return graph


def _connect(graph: Graph) -> None:
    maps = _Neighbours(graph.program)
    early = _early(graph)
    for node, record in enumerate(graph.records):
        if isinstance(record, Compute):
            graph.inputs[node] = _inputs(graph, maps, early, node, record)
        elif isinstance(record, Pair):
            both = (record.forward, record.backward)
            graph.inputs[node] = tuple(i for part in both for i in _inputs(graph, maps, early, node, part))
        elif isinstance(record, Vocabulary):
            graph.inputs[node] = _vocabulary_inputs(graph, node, record)
    if graph.reduces:
        _connect_states(graph)


def _connect_states(graph: Graph) -> None:
    """An update needs its stage's gradients of all copies, and the norm of all gradients unless it is validated later.

    An update that makes a numbered version belongs to an asynchronous program, whose updates wait for nobody.
    """
    records = graph.records
    validated = any(isinstance(r, State) and r.kind == "validate" for r in records)
    for node, record in enumerate(records):
        if not isinstance(record, State) or record.version:
            continue
        if record.kind == "validate" or (record.kind == "update" and not validated):
            graph.inputs[node] = _state_collective(graph, "norm", 0, [n for ns in graph.reduces.values() for n in ns])
        elif record.kind == "update" and graph.program.copies > 1:
            graph.inputs[node] = _state_collective(graph, "reduce", record.stage, graph.reduces.get(record.stage, []))


def _state_collective(graph: Graph, what: str, stage: int, nodes: list[int]) -> tuple[int, ...]:
    key = (what, stage, 0, 0)
    if key not in graph.collectives:
        graph.collectives[key] = _virtual(graph, COLLECTIVE, nodes[0] if nodes else -1, tuple(nodes))
    return (graph.collectives[key],)


def _early(graph: Graph) -> dict[int, int]:
    found: dict[int, int] = {}
    for node, record in enumerate(graph.records):
        if isinstance(record, Pair) and record.early_output:
            found[node] = _virtual(graph, EARLY, node, (node,))
    return found


def _virtual(graph: Graph, kind: Literal["early", "collective"], source: int, inputs: tuple[int, ...]) -> int:
    graph.virtual.append((kind, source))
    graph.inputs.append(inputs)
    return graph.nodes - 1


class _Neighbours:
    """The stages before and after a stage on a microbatch's path."""

    def __init__(self, program: Program) -> None:
        self.last = program.stages - 1
        self.before = [dict(zip(p[1:], p, strict=False)) for p in program.paths]
        self.after = [dict(pairwise(p)) for p in program.paths]

    def upstream(self, stage: int, microbatch: int) -> int:
        """The stage whose output `stage` reads, -1 for none."""
        return self.before[microbatch].get(stage, -1) if self.before else stage - 1

    def downstream(self, stage: int, microbatch: int) -> int:
        """The stage that reads `stage`'s output, -1 for none."""
        if self.after:
            return self.after[microbatch].get(stage, -1)
        return stage + 1 if stage < self.last else -1


def _inputs(graph: Graph, maps: _Neighbours, early: dict[int, int], node: int, part: Compute) -> tuple[int, ...]:
    kind, stage, microbatch, piece, copy, _ = part
    if kind == "W":
        return ()
    program = graph.program
    stride = program.microbatches * program.slices
    here = ((copy * program.stages + stage) * program.microbatches + microbatch) * program.slices + piece
    if kind == "F":
        other = maps.upstream(stage, microbatch)
        if other < 0:
            return _embedded(graph, microbatch, piece, copy) if program.barriers else ()
        source = graph.forward[here + (other - stage) * stride]
    else:
        other = maps.downstream(stage, microbatch)
        if other < 0:
            return _scored(graph, microbatch, piece, copy) if program.barriers else ()
        source = graph.backward[here + (other - stage) * stride]
    if source < 0:
        wanted = "F" if kind == "F" else kind
        graph.absent.append((node, Compute(wanted, other, microbatch, piece, copy)))
        return ()
    if graph.rank[source] == graph.rank[node]:
        return ()
    return (early.get(source, source),) if early and kind == "F" else (source,)


def _embedded(graph: Graph, microbatch: int, piece: int, copy: int) -> tuple[int, ...]:
    """The first stage's forward waits for every rank's lookup."""
    return _gathered(graph, "E", microbatch, piece, copy)


def _scored(graph: Graph, microbatch: int, piece: int, copy: int) -> tuple[int, ...]:
    """The last stage's backward waits for every rank's S, or with two barriers for every rank's T."""
    return _gathered(graph, "S" if graph.program.barriers == 1 else "T", microbatch, piece, copy)


def _gathered(graph: Graph, what: str, microbatch: int, piece: int, copy: int) -> tuple[int, ...]:
    key = (what, microbatch, piece, copy)
    if key not in graph.collectives:
        nodes = graph.vocabulary.get(key, [])
        graph.collectives[key] = _virtual(graph, COLLECTIVE, nodes[0] if nodes else -1, tuple(nodes))
    return (graph.collectives[key],)


def _vocabulary_inputs(graph: Graph, node: int, record: Vocabulary) -> tuple[int, ...]:
    kind, microbatch, piece, copy = record
    path = graph.program.path(microbatch)
    if kind == "S":
        return _sent(graph, node, "hidden", Compute("F", path[-1], microbatch, piece, copy))
    if kind == "T":
        return _gathered(graph, "S", microbatch, piece, copy)
    if kind == "G":
        return _sent(graph, node, "input-gradient", Compute("I", path[0], microbatch, piece, copy))
    return ()


def _sent(graph: Graph, node: int, what: str, source: Compute) -> tuple[int, ...]:
    """Every rank needs the result of one pass."""
    kind, stage, microbatch, piece, copy, _ = source
    table = graph.forward if kind == "F" else graph.backward
    found = table[graph.slot(copy, stage, microbatch, piece)]
    if found < 0:
        graph.absent.append((node, source))
        return ()
    key = (what, microbatch, piece, copy)
    if key not in graph.collectives:
        graph.collectives[key] = _virtual(graph, COLLECTIVE, found, (found,))
    return (graph.collectives[key],)


def _walk(graph: Graph) -> None:
    """Fill `order`: ranks go on while what they need is there; a finished node wakes those that wait for it."""
    count = len(graph.records)
    done = bytearray(graph.nodes)
    at = graph.first[:-1].copy()
    stop = graph.first[1:]
    waiting: dict[int, list[int]] = {}
    left = {count + i: len(graph.inputs[count + i]) for i in range(len(graph.virtual))}
    feeds = _feeds(graph)
    awake = list(range(len(at)))[::-1]
    order, inputs = graph.order, graph.inputs

    def finish(node: int) -> None:
        done[node] = 1
        order.append(node)
        if node in waiting:
            awake.extend(waiting.pop(node))
        for other in feeds.get(node, ()):
            left[other] -= 1
            if left[other] == 0:
                finish(other)

    for node, needs in left.items():
        if needs == 0 and not done[node]:
            finish(node)
    while awake:
        rank = awake.pop()
        node, end = at[rank], stop[rank]
        while node < end:
            blocked = next((i for i in inputs[node] if not done[i]), -1)
            if blocked >= 0:
                waiting.setdefault(blocked, []).append(rank)
                break
            finish(node)
            node += 1
        at[rank] = node


def _feeds(graph: Graph) -> dict[int, list[int]]:
    count = len(graph.records)
    feeds: dict[int, list[int]] = {}
    for virtual in range(count, graph.nodes):
        for source in graph.inputs[virtual]:
            feeds.setdefault(source, []).append(virtual)
    return feeds


def result_of(graph: Graph, node: int, place: int) -> Compute | None:
    """The pass whose result a record's input ``graph.inputs[node][place]`` brings; None where a collective does.

    Of a pair it is the forward or the backward; a record that needs both has it as an input twice, forward first.
    """
    sources = graph.inputs[node]
    source = sources[place]
    early = source >= len(graph.records)
    if early:
        kind, source = graph.virtual[source - len(graph.records)]
        if kind != EARLY:
            return None
    record = graph.records[source]
    if isinstance(record, Compute):
        return record
    assert isinstance(record, Pair)
    if early:
        return record.forward
    if record.early_output or source in sources[:place]:
        return record.backward
    takes = passes_of(graph.records[node])
    return record.forward if any(_follows(graph.program, record.forward, part) for part in takes) else record.backward


def _follows(program: Program, forward: Compute, part: Pass) -> bool:
    """Whether `part` is the forward that reads what `forward` makes."""
    if part.kind != "F" or part[2:5] != forward[2:5]:
        return False
    if program.paths:
        return (forward.stage, part.stage) in pairwise(program.path(part.microbatch))
    return part.stage == forward.stage + 1


def blocked(graph: Graph) -> Iterator[tuple[int, int]]:
    """(node, input): the first record of each rank that never happens, and an input of it that never does."""
    done = set(graph.order)
    for rank in range(len(graph.program.ranks)):
        for node in range(graph.first[rank], graph.first[rank + 1]):
            if node not in done:
                yield node, next(i for i in graph.inputs[node] if i not in done)
                break
