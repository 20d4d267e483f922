"""What every generated program of a training step holds, whatever its order."""

from collections import Counter
from itertools import pairwise

from stretto.schedule.graph import build
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.program import passes
from stretto.spec.program_file import check_indices

EQUAL = PassCosts()


def assert_complete(program):
    """Every microbatch passes every stage of one copy once, forward and backward, where that stage is; in an order."""
    check_indices(program)
    seen = Counter()
    for rank, p in passes(program):
        assert program.placement[p.copy][p.stage] == rank
        seen[p.microbatch, p.copy, p.stage, p.kind] += 1
    assert set(seen.values()) == {1}
    for microbatch in range(program.microbatches):
        copies = {copy for m, copy, _, _ in seen if m == microbatch}
        assert len(copies) == 1
        copy = copies.pop()
        for stage in range(program.stages):
            kinds = "".join(sorted(kind for kind in "FBIW" if seen[microbatch, copy, stage, kind]))
            assert kinds in {"BF", "FIW"}
    graph = build(program)
    assert graph.acyclic
    assert not graph.twice
    assert not graph.absent
    for microbatch, copy in {(m, copy) for m, copy, _, _ in seen}:
        slots = [graph.slot(copy, stage, microbatch, 0) for stage in range(program.stages)]
        assert_in_order(program.placement[copy], [graph.forward[slot] for slot in slots])
        assert_in_order(program.placement[copy][::-1], [graph.backward[slot] for slot in reversed(slots)])
        assert all(graph.forward[slot] < graph.backward[slot] for slot in slots)
        assert all(graph.weight[slot] < 0 or graph.backward[slot] < graph.weight[slot] for slot in slots)


def assert_in_order(row, nodes):
    """Stages that follow each other on one rank are done in that order (the graph leaves such inputs out)."""
    for (here, node), (there, later) in pairwise(zip(row, nodes, strict=True)):
        assert here != there or node < later


def bubbles(program, costs=EQUAL):
    """(from 0 to the last end, the longest span of a rank), less the time the busiest rank works."""
    timed = timing(program, costs)
    return timed.makespan - max(timed.busy), max(timed.spans) - max(timed.busy)
