"""The graph: what waits for what, and who never happens."""

from stretto.schedule.generate import generate
from stretto.schedule.graph import blocked, build, result_of
from stretto.spec.program import Compute, Pair, Program, State, passes_of


def _program(*ranks, **fields):
    sizes = {"stages": 2, "microbatches": 2, "placement": ((0, 1),)} | fields
    return Program(ranks=tuple(map(tuple, ranks)), **sizes)


F, B = (lambda s, i: Compute("F", s, i)), (lambda s, i: Compute("B", s, i))


def test_inputs_are_what_other_ranks_make():
    graph = build(_program([F(0, 0), B(0, 0)], [F(1, 0), B(1, 0)], microbatches=1))
    assert graph.inputs == [(), (3,), (0,), ()]
    assert graph.acyclic
    assert graph.order.index(0) < graph.order.index(2) < graph.order.index(3) < graph.order.index(1)


def test_what_nobody_computes_is_named():
    graph = build(_program([F(0, 0)], [F(1, 1)]))
    assert graph.absent == [(1, F(0, 1))]


def test_a_ring_is_found():
    graph = build(_program([B(0, 0), F(0, 0)], [F(1, 0), B(1, 0)], microbatches=1))
    assert not graph.acyclic
    assert sorted(blocked(graph)) == [(0, 3), (2, 1)]


def test_what_is_computed_twice_is_named():
    assert build(_program([F(0, 0), F(0, 0)], [])).twice == [1]


def test_paths_say_who_comes_next():
    ranks = [F(0, 0), F(0, 1)], [F(1, 1)], [F(2, 0), F(2, 1)]
    graph = build(_program(*ranks, stages=3, placement=((0, 1, 2),), paths=((0, 2), (0, 1, 2)), forward_only=True))
    assert graph.inputs == [(), (), (1,), (0,), (2,)]


def test_a_collective_waits_for_every_rank():
    graph = build(generate("1f1b", 4, 4, vocabulary="one"))
    node = graph.collectives["S", 2, 0, 0]
    assert sorted(graph.rank[i] for i in graph.inputs[node]) == [0, 1, 2, 3]
    last = graph.backward[graph.slot(0, 3, 2, 0)]
    assert node in graph.inputs[last]


def test_updates_wait_for_all_gradients_unless_they_are_validated():
    validate = State("validate", 0)
    ranks = [[F(s, 0), B(s, 0), State("reduce", s), State("update", s)] for s in range(2)]
    graph = build(_program(*ranks, microbatches=1))
    norm = graph.collectives["norm", 0, 0, 0]
    assert graph.inputs[3] == graph.inputs[7] == (norm,)
    assert graph.inputs[norm] == (2, 6)
    graph = build(_program([*ranks[0], validate], ranks[1], microbatches=1))
    assert graph.inputs[3] == ()
    assert graph.inputs[4] == (graph.collectives["norm", 0, 0, 0],)


def _source(part):
    """(stage, microbatch, copy) of the pass whose result a pass of an unbroken pipeline needs."""
    stage = part.stage - 1 if part.kind == "F" else part.stage + 1
    return stage, part.microbatch, part.copy


def test_a_reader_takes_its_half_of_a_pair():
    graph = build(generate("dualpipe", 4, 8))
    from_pairs = 0
    for node, record in enumerate(graph.records):
        needed = [_source(part) for part in passes_of(record) if part.kind != "W"]
        for place, source in enumerate(graph.inputs[node]):
            brought = result_of(graph, node, place)
            assert (brought.stage, brought.microbatch, brought.copy) in needed
            needed.remove((brought.stage, brought.microbatch, brought.copy))
            from_pairs += isinstance(graph.records[source], Pair)
    assert from_pairs
