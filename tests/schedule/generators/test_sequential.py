"""The smallest program: every pass once, in an order that can be run, reductions as early as they can be."""

from hypothesis import given
from hypothesis import strategies as st

from stretto.schedule.generators.sequential import sequential
from stretto.schedule.verify import verify
from stretto.spec.program import Compute, State
from stretto.spec.program_text import write_record


@given(stages=st.integers(1, 6), microbatches=st.integers(1, 6))
def test_every_size_verifies_and_reduces_early(stages, microbatches):
    program = sequential(stages, microbatches)
    assert verify(program).good
    (records,) = program.ranks
    place = {record: i for i, record in enumerate(records)}
    assert len(place) == len(records) == 2 * stages * microbatches + 3 * stages
    for stage in range(stages):
        last = microbatches - 1
        assert place[State("gather", stage)] < place[Compute("F", stage, 0)]
        assert place[State("reduce", stage)] == place[Compute("B", stage, last)] + 1
        assert place[State("update", stage)] > max(place[State("reduce", other)] for other in range(stages))


def test_names():
    assert [write_record(r) for r in sequential(1, 1).ranks[0]] == ["gather0", "F0.0", "B0.0", "reduce0", "update0"]
