"""Messages: every result that another rank needs, once, with the right name."""

from hypothesis import given

from stretto.schedule.graph import build
from stretto.simulate.messages import contents, messages
from stretto.spec.program import Compute, passes_of
from tests.simulate.programs import gpipe, leaving_early, programs, with_memory_and_state, with_twins, with_vocabulary


def needed(program):
    """(what, reading stage) of every message, from the definition of the passes."""
    where = program.placement
    found = []
    for rank, records in enumerate(program.ranks):
        for part in (p for record in records for p in passes_of(record) if isinstance(p, Compute) and p.kind != "W"):
            path = program.path(part.microbatch)
            step = path.index(part.stage) + (-1 if part.kind == "F" else 1)
            if 0 <= step < len(path) and where[part.copy][path[step]] != rank:
                backward = "" if part.kind == "F" else "backward"
                found.append((backward, path[step], *part[2:5], part.stage))
    return sorted(found)


@given(program=programs())
def test_messages_are_what_stages_need_from_their_neighbours(program):
    graph = build(program)
    found = []
    for message in messages(graph):
        what, reader = contents(graph, message)
        found.append(("" if what.kind == "F" else "backward", *what[1:5], reader))
        assert program.placement[what.copy][what.stage] == message.sender
        assert program.placement[what.copy][reader] == message.receiver
    assert sorted(found) == needed(program)


def test_two_results_of_one_pair_for_another_are_two_messages():
    for program in (with_twins(), leaving_early(with_twins())):
        graph = build(program)
        pair = program.ranks[0].index(program.ranks[0][2])
        sent = [contents(graph, m) for m in messages(graph) if m.sender == 0]
        assert sent == [
            (Compute("F", 0, 0), 1),
            (Compute("F", 0, 2), 1),
            (Compute("I", 1, 1, copy=1), 0),
        ], pair


def test_collectives_are_no_messages():
    graph = build(with_vocabulary(2))
    assert {contents(graph, m)[0].kind for m in messages(graph)} == {"F", "B"}


def test_counts():
    assert len(list(messages(build(gpipe(3, 4))))) == 2 * 2 * 4
    assert len(list(messages(build(with_memory_and_state())))) == 2 * 2
