"""Whether a program computes everything once, where it belongs, and in an order that its data allows.

These checks look at each rank's list by itself; whether the lists fit together is a matter of the graph
(`schedule.graph.Graph.acyclic`). Each check yields what it finds; a good program costs a few hundred nanoseconds a
record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from stretto.schedule.finding import Finding, Stuck
from stretto.schedule.graph import Graph
from stretto.spec.program import Compute, Memory, Pair, Record, State, Vocabulary, passes_of
from stretto.spec.program_text import write_record


def faults(graph: Graph) -> Iterator[Finding]:
    """What is wrong with a program's ranks, each by itself; nothing for a good one."""
    if graph.twice:
        yield from _misplaced(graph)  # of two equal passes, the one that does not belong is the one to name
    for node in graph.twice:
        yield _at(graph, node, "is computed twice; expected once")
    copies = list(_copies(graph))
    yield from (found for found in copies if isinstance(found, Finding))
    chosen = [found for found in copies if isinstance(found, int)]
    if len(chosen) == graph.program.microbatches:
        yield from _passes(graph, chosen)
        yield from _neighbours(graph, chosen)
        yield from _vocabulary(graph, chosen)
    kinds = {type(record) for record in graph.records}
    versions = any(isinstance(p, Compute) and p.version for r in graph.records for p in passes_of(r))
    for rank in range(len(graph.program.ranks)):
        if Memory in kinds:
            yield from _moves(graph, rank)
        if State in kinds or versions:
            yield from _states(graph, rank)
            yield from _versions(graph, rank)
    if State in kinds:
        yield from _everywhere(graph)


def _misplaced(graph: Graph) -> Iterator[Finding]:
    """Passes on a rank that does not hold their stage."""
    for node, record in enumerate(graph.records):
        for part in _computes(record):
            holder = graph.program.placement[part.copy][part.stage]
            if graph.rank[node] != holder:
                yield _at(graph, node, f"belongs on rank {holder}, which holds stage {part.stage}")


def _at(graph: Graph, node: int, what: str) -> Finding:
    rank = graph.rank[node]
    text = write_record(graph.records[node])
    where = Stuck(rank, node - graph.first[rank], text)
    return Finding(f"rank {rank}: {text} {what}.", (where,))


def _copies(graph: Graph) -> Iterator[int | Finding]:
    """The copy that every microbatch runs through."""
    program = graph.program
    if program.copies == 1:
        yield from [0] * program.microbatches
        return
    for microbatch in range(program.microbatches):
        first = program.path(microbatch)[0]
        found = [c for c in range(program.copies) if graph.forward[graph.slot(c, first, microbatch, 0)] >= 0]
        if len(found) == 1:
            yield found[0]
        else:
            how = f"enters copies {found}" if found else "enters no copy"
            yield Finding(f"microbatch {microbatch} {how} at stage {first}; expected exactly one.")


def _passes(graph: Graph, copies: list[int]) -> Iterator[Finding]:
    """Every stage on a microbatch's path has its F, then its B or I and W, on the rank that holds the stage."""
    program = graph.program
    expected = 0
    for microbatch, copy in enumerate(copies):
        for stage in program.path(microbatch):
            holder = program.placement[copy][stage]
            for piece in range(program.slices):
                slot = graph.slot(copy, stage, microbatch, piece)
                f, b, w = graph.forward[slot], graph.backward[slot], graph.weight[slot]
                if f >= 0 and graph.rank[f] == holder and program.forward_only and b < 0 and w < 0:
                    expected += 1
                elif f >= 0 and f < b and graph.rank[f] == graph.rank[b] == holder and not program.forward_only:
                    split = _is_split(graph.records[b])
                    if split and b < w and graph.rank[w] == holder:
                        expected += 3
                    elif not split and w < 0:
                        expected += 2
                    else:
                        yield _wrong(graph, Compute("F", stage, microbatch, piece, copy), (f, b, w))
                else:
                    yield _wrong(graph, Compute("F", stage, microbatch, piece, copy), (f, b, w))
    found = sum(x >= 0 for table in (graph.forward, graph.backward, graph.weight) for x in table)
    if found > expected:
        yield from _strays(graph, copies)


def _is_split(record: Record) -> bool:
    part = record.backward if isinstance(record, Pair) else record
    return isinstance(part, Compute) and part.kind == "I"


def _wrong(graph: Graph, forward: Compute, nodes: tuple[int, int, int]) -> Finding:
    """The sentence for a slot whose passes are not what they should be."""
    program = graph.program
    f, b, w = nodes
    holder = program.placement[forward.copy][forward.stage]
    names = ("F", "B or I", "W")
    if program.forward_only and (b >= 0 or w >= 0):
        return _at(graph, max(b, w), "is a backward in a program that is forward only")
    split = b >= 0 and _is_split(graph.records[b])
    needed = [f] if program.forward_only else [f, b, w] if split else [f, b]
    for node, name in zip(needed, names, strict=False):
        if node < 0:
            text = write_record(forward)[1:]
            return Finding(f"{name.split()[0]}{text} is missing: stage {forward.stage} (rank {holder}) never does it.")
        if graph.rank[node] != holder:
            return _at(graph, node, f"belongs on rank {holder}, which holds stage {forward.stage}")
    if not split and w >= 0:
        return _at(graph, w, "is a weight gradient that the whole backward B has made already")
    for earlier, later in pairwise(needed):
        if earlier >= later:
            return _at(graph, later, f"comes before {write_record(graph.records[earlier])}, whose result it needs")
    return _at(graph, f, "is out of order")


def _strays(graph: Graph, copies: list[int]) -> Iterator[Finding]:
    """Passes of a stage that is not on the microbatch's path, or in another copy than the microbatch's."""
    for node, record in enumerate(graph.records):
        for part in passes_of(record):
            if isinstance(part, Compute):
                path = graph.program.path(part.microbatch)
                if part.copy != copies[part.microbatch]:
                    yield _at(graph, node, f"is in the wrong copy; microbatch {part.microbatch} runs through another")
                elif part.stage not in path:
                    yield _at(graph, node, f"is not on the path of microbatch {part.microbatch}, {list(path)}")


def _neighbours(graph: Graph, copies: list[int]) -> Iterator[Finding]:
    """Where two stages of a path, or two slices, are on one rank, its list has them in the order of the data."""
    program = graph.program
    if program.slices == 1 and not _adjacent(graph):
        return
    for microbatch, copy in enumerate(copies):
        path = program.path(microbatch)
        for piece in range(program.slices):
            for a, b in pairwise(path):
                one, two = graph.slot(copy, a, microbatch, piece), graph.slot(copy, b, microbatch, piece)
                yield from _before(graph, graph.forward[one], graph.forward[two])
                yield from _before(graph, graph.backward[two], graph.backward[one])
            if piece:
                for stage in path:
                    here = graph.slot(copy, stage, microbatch, piece)
                    yield from _before(graph, graph.forward[here - 1], graph.forward[here])
                    yield from _before(graph, graph.backward[here], graph.backward[here - 1])


def _adjacent(graph: Graph) -> bool:
    """Whether a rank holds two stages that can follow each other."""
    program = graph.program
    return bool(program.paths) or any(a == b for row in program.placement for a, b in pairwise(row))


def _before(graph: Graph, earlier: int, later: int) -> Iterator[Finding]:
    if earlier >= 0 and later >= 0 and graph.rank[earlier] == graph.rank[later] and earlier >= later:
        yield _at(graph, later, f"comes before {write_record(graph.records[earlier])}, whose result it needs")


def _vocabulary(graph: Graph, copies: list[int]) -> Iterator[Finding]:
    """Every rank has every vocabulary pass of every slice once, or none has any."""
    program = graph.program
    ranks = len(program.ranks)
    expected = 0
    if program.barriers:
        for microbatch, copy in enumerate(copies):
            for piece in range(program.slices):
                for kind in ("E", "S", "T", "G"):
                    nodes = graph.vocabulary.get((kind, microbatch, piece, copy), [])
                    expected += 1
                    where = sorted(graph.rank[n] for n in nodes)
                    if where != list(range(ranks)):
                        text = write_record(Vocabulary(kind, microbatch, piece, copy))
                        yield Finding(f"{text} is done on ranks {where}; expected once on every one of {ranks} ranks.")
    if len(graph.vocabulary) > expected:
        how = "its microbatch or copy has none" if program.barriers else "the program has no barriers"
        first = min(nodes[0] for nodes in graph.vocabulary.values()) if not expected else _extra(graph, copies)
        yield _at(graph, first, f"is a vocabulary pass, but {how}")


def _extra(graph: Graph, copies: list[int]) -> int:
    return next(nodes[0] for (_, i, _, c), nodes in graph.vocabulary.items() if copies[i] != c)


def _moves(graph: Graph, rank: int) -> Iterator[Finding]:
    """Activations are recomputed, moved out and moved back between their forward and their backward, in that order."""
    for node in range(graph.first[rank], graph.first[rank + 1]):
        record = graph.records[node]
        if not isinstance(record, Memory):
            continue
        slot = graph.slot(record.copy, record.stage, record.microbatch, record.slice)
        f, b = graph.forward[slot], graph.backward[slot]
        if f < 0 or not f < node < b:
            yield _at(graph, node, "is not between the forward and the backward of what it moves")
    last: dict[tuple[int, ...], str] = {}
    for node in range(graph.first[rank], graph.first[rank + 1]):
        record = graph.records[node]
        if isinstance(record, Memory):
            before = last.get(record[1:], "")
            if (record.kind == "reload") != (before == "offload") or (record.kind == "recompute" and before):
                yield _at(graph, node, f"follows {before or 'no other move'} of the same activations")
            last[record[1:]] = record.kind
    for key, kind in last.items():
        if kind == "offload":
            yield Finding(f"rank {rank}: {kind}{key[0]}.{key[1]} is never followed by a reload.")


_AFTER: Final = {"gather": (), "reduce": (), "update": ("reduce",), "validate": ("update",), "rollback": ("validate",)}
"""What has to come before what happens to a stage's parameters; each happens once."""


def _states(graph: Graph, rank: int) -> Iterator[Finding]:
    """Parameters are gathered before they are read, gradients reduced when they are whole, and then used, all once."""
    seen: set[tuple[str, int, int]] = set()
    first, last = _used(graph, rank)
    for node in range(graph.first[rank], graph.first[rank + 1]):
        record = graph.records[node]
        if not isinstance(record, State) or record.version:
            continue
        kind, stage, copy, _ = record
        holder = graph.program.placement[copy][stage]
        missing = next((before for before in _AFTER[kind] if (before, stage, copy) not in seen), None)
        if holder != rank:
            yield _at(graph, node, f"belongs on rank {holder}")
        elif graph.program.forward_only and kind != "gather":
            yield _at(graph, node, "is in a program that is forward only")
        elif (kind, stage, copy) in seen:
            yield _at(graph, node, "comes a second time")
        elif kind == "gather" and node > first.get((copy, stage), node):
            yield _at(graph, node, "comes after a pass that reads the parameters")
        elif kind != "gather" and node < last.get((copy, stage), -1):
            yield _at(graph, node, f"comes before the gradient {write_record(graph.records[last[copy, stage]])}")
        elif missing is not None:
            yield _at(graph, node, f"comes before the stage's {missing}")
        seen.add((kind, stage, copy))


def _everywhere(graph: Graph) -> Iterator[Finding]:
    """What happens to one stage's parameters happens to all stages of all copies."""
    program = graph.program
    found: dict[str, set[tuple[int, int]]] = {}
    for record in graph.records:
        if isinstance(record, State) and not record.version:
            found.setdefault(record.kind, set()).add((record.copy, record.stage))
    for kind in ("reduce", "update", "validate"):
        for copy, row in enumerate(program.placement):
            for stage, rank in enumerate(row):
                if kind in found and (copy, stage) not in found[kind]:
                    text = write_record(State(kind, stage, copy))
                    yield Finding(f"{text} is missing: stage {stage} (rank {rank}) never does it, others do.")


def _used(graph: Graph, rank: int) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """The first node that reads each (copy, stage)'s parameters, and the last that makes a gradient."""
    first: dict[tuple[int, int], int] = {}
    last: dict[tuple[int, int], int] = {}
    for node in range(graph.first[rank], graph.first[rank + 1]):
        for part in passes_of(graph.records[node]):
            if isinstance(part, Compute):
                key = part.copy, part.stage
                first.setdefault(key, node)
                if part.kind in "BW":
                    last[key] = node
    return first, last


def _versions(graph: Graph, rank: int) -> Iterator[Finding]:
    """A pass reads weights that an earlier update of its stage has made; versions follow each other, and gradients."""
    newest: dict[tuple[int, int], int] = {}
    gradients: dict[tuple[int, int], int] = {}
    halves: dict[tuple[int, ...], int] = {}
    for node in range(graph.first[rank], graph.first[rank + 1]):
        record = graph.records[node]
        for part in _computes(record):
            key = part.copy, part.stage
            have = newest.get(key, 0)
            if part.version > have:
                yield _at(graph, node, f"reads weight version {part.version}; the newest then is {have}")
            if part.kind == "I":
                halves[part[1:5]] = part.version
            if part.kind == "W" and halves.get(part[1:5], part.version) != part.version:
                yield _at(graph, node, f"reads another weight version than its I, {halves[part[1:5]]}")
            gradients[key] = gradients.get(key, 0) + (part.kind in "BW")
        if isinstance(record, State) and record.kind == "update" and record.version:
            key = record.copy, record.stage
            if record.version != newest.get(key, 0) + 1:
                yield _at(graph, node, f"makes a version after {newest.get(key, 0)}; expected the next one")
            if record.version > gradients.get(key, 0):
                yield _at(graph, node, f"comes after {gradients.get(key, 0)} gradients of its stage")
            newest[key] = record.version


def _computes(record: Record) -> Iterable[Compute]:
    return (part for part in passes_of(record) if isinstance(part, Compute))
