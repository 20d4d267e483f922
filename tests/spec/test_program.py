"""The program value: maps, paths and what a record computes."""

from stretto.schedule.generate import generate
from stretto.spec.program import Compute, Pair, State, Vocabulary, passes, passes_of


def test_maps():
    program = generate("zb-v", 3, 4)
    assert program.placement == ((0, 1, 2, 2, 1, 0),)
    assert program.chunks(1) == [(0, 1), (0, 4)]
    assert [program.upstream(0, 1), program.downstream(2, 1), program.downstream(5, 1)] == [None, 3, None]
    assert program.path(2) == (0, 1, 2, 3, 4, 5)
    assert generate("dualpipe", 2, 4).chunks(0) == [(0, 0), (1, 1)]


def test_passes_of_a_record():
    f, b = Compute("F", 0, 1), Compute("B", 1, 0)
    assert passes_of(Pair(f, b)) == (f, b)
    assert passes_of(f) == (f,)
    assert passes_of(Vocabulary("S", 3)) == (Vocabulary("S", 3),)
    assert passes_of(State("update", 0)) == ()
    assert len(list(passes(generate("1f1b", 2, 3)))) == 12
