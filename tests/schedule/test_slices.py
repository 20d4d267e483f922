"""Slices: every program can be cut, and its slices go forward in order and back in reverse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.graph import build
from stretto.schedule.memory import peaks
from stretto.schedule.slices import with_slices
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Pair, Program, State, Vocabulary
from stretto.spec.program_text import write_record
from tests.schedule.composing import all_programs, check, has_pairs, in_order, programs, whole


@settings(max_examples=60, deadline=None)
@given(program=programs(whole), slices=st.integers(1, 3))
def test_every_program_can_be_cut(program, slices):
    cut = with_slices(program, slices)
    check(cut)
    assert build(cut).acyclic
    assert cut.slices == slices
    assert cut.kind == program.kind


def test_every_kind_of_program_can_be_cut():
    for program in filter(whole, all_programs()):
        check(with_slices(program, 2))


def test_one_slice_is_the_program_itself():
    assert with_slices(in_order(3, 5), 1) == in_order(3, 5)


def test_slices_of_each_kind_of_record():
    f, b = Compute("F", 0, 0), Compute("B", 0, 0)
    records = (
        State("gather", 0),
        Vocabulary("E", 0),
        f,
        Memory("offload", 0, 0),
        Vocabulary("S", 0),
        Vocabulary("T", 0),
        Memory("reload", 0, 0),
        b,
        Vocabulary("G", 0),
        Pair(Compute("F", 0, 1), Compute("I", 0, 2), early_output=True),
        Compute("W", 0, 2),
    )
    cut = with_slices(Program(ranks=(records,), stages=1, microbatches=3, placement=((0,),), barriers=1), 2).ranks[0]
    assert [write_record(r) for r in cut] == [
        *("gather0", "E0", "E0/1", "F0.0", "offload0.0", "F0.0/1", "offload0.0/1", "S0", "S0/1", "T0/1", "T0"),
        *("reload0.0/1", "B0.0/1", "reload0.0", "B0.0", "G0/1", "G0"),
        *("F0.1+>I0.2/1", "F0.1/1+>I0.2", "W0.2/1", "W0.2"),
    ]


@settings(max_examples=30, deadline=None)
@given(program=programs(whole, lambda p: not has_pairs(p)), slices=st.integers(2, 4))
def test_cutting_costs_no_memory_and_no_busy_time(program, slices):
    costs = PassCosts()
    before, after = timing(program, costs), timing(with_slices(program, slices), costs)
    assert after.makespan <= before.makespan + 1e-9
    assert after.busy == pytest.approx(before.busy)
    assert max(peaks(with_slices(program, slices), costs)) <= max(peaks(program, costs)) + 1e-9


def test_what_cannot_be_cut_says_why():
    with pytest.raises(UserError, match="slices is 0"):
        with_slices(in_order(2, 2), 0)
    with pytest.raises(UserError, match=r"program.slices is 2; expected 1"):
        with_slices(with_slices(in_order(2, 2), 2), 2)
