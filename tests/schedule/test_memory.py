"""What ranks store: what F adds, B and I free, W frees at last; and what moving activations does to the peak."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generate import generate
from stretto.schedule.memory import changes, peaks
from stretto.schedule.registry import KINDS
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Pair, Program


def test_records():
    program = generate("zb-h1", 2, 2)
    change = changes(program, PassCosts(weight_activation=0.25))
    assert change(Compute("F", 0, 0)) == (1.0, 0.0)
    assert change(Compute("B", 0, 0)) == (0.0, 1.0)
    assert change(Compute("I", 0, 0)) == (0.0, 0.75)
    assert change(Compute("W", 0, 0)) == (0.0, 0.25)
    assert change(Pair(Compute("F", 0, 0), Compute("I", 1, 0))) == (1.0, 0.75)
    assert change(Memory("offload", 0, 0)) == (0.0, 1.0)
    assert change(Memory("reload", 0, 0)) == (1.0, 0.0)


def test_a_recomputed_stage_stores_nothing_until_it_is_recomputed():
    records = (
        *(Compute("F", 0, i) for i in range(3)),
        *(r for i in range(3) for r in (Memory("recompute", 0, i), Compute("B", 0, i))),
    )
    program = Program(ranks=(records,), stages=1, microbatches=3, placement=((0,),))
    assert peaks(program, PassCosts()) == (1.0,)


def test_inference_stores_nothing():
    assert peaks(generate("forward-only", 3, 5), PassCosts()) == (0.0, 0.0, 0.0)


def test_uneven_stages_and_slices():
    costs = PassCosts(activation=(2.0, 1.0), slices=(0.75, 0.25))
    assert peaks(generate("gpipe", 2, 3, slices=2), costs) == (6.0, 3.0)
    with pytest.raises(UserError, match=r"costs.activation is \[2.0, 1.0\]; expected one number, or 3 of them"):
        peaks(generate("gpipe", 3, 3), costs)


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), half=st.integers(1, 2), kept=st.floats(0, 1))
def test_everything_that_is_stored_is_freed(kind, half, kept):
    program = generate(kind, 2 * half, 8)
    change = changes(program, PassCosts(weight_activation=kept))
    for records in program.ranks:
        assert sum(a - b for a, b in map(change, records)) == pytest.approx(0, abs=1e-9)
