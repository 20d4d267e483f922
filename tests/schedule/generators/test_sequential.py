"""The smallest program: every pass once, in an order that can be run, reductions as early as they can be."""

from hypothesis import given
from hypothesis import strategies as st

from stretto.schedule.generators.sequential import sequential
from stretto.spec.program import Compute, State


@given(ranks=st.integers(1, 4), stages=st.integers(1, 6), microbatches=st.integers(1, 6))
def test_every_size_is_complete_and_in_order(ranks, stages, microbatches):
    program = sequential(ranks, stages, microbatches)
    assert len(program.ranks) == ranks
    assert len(set(program.ranks)) == 1
    records = program.ranks[0]
    place = {record: i for i, record in enumerate(records)}
    assert len(place) == len(records) == 2 * stages * microbatches + 3 * stages
    for stage in range(stages):
        last = microbatches - 1
        assert place[State("gather", stage)] < place[Compute("F", stage, 0)]
        assert place[State("reduce", stage)] == place[Compute("B", stage, last)] + 1
        assert place[State("update", stage)] > max(place[State("reduce", other)] for other in range(stages))
        for microbatch in range(microbatches):
            assert place[Compute("F", stage, microbatch)] < place[Compute("B", stage, microbatch)]
            if stage:
                assert place[Compute("F", stage - 1, microbatch)] < place[Compute("F", stage, microbatch)]
                assert place[Compute("B", stage, microbatch)] < place[Compute("B", stage - 1, microbatch)]


def test_names():
    assert [str(r) for r in sequential(1, 1, 1).ranks[0]] == ["gather0", "F0.0", "B0.0", "reduce0", "update0"]
