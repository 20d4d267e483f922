"""Recomputed and moved activations: what a backward reads is there, and less lies around."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.graph import build
from stretto.schedule.memory import peaks
from stretto.schedule.memory_moves import with_offload, with_recompute
from stretto.schedule.slices import with_slices
from stretto.schedule.vocabulary import with_vocabulary
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Program
from stretto.spec.program_text import write_record
from tests.schedule.composing import (
    activations_are_there,
    all_programs,
    check,
    in_order,
    programs,
    stateless,
    trains,
    whole,
)

UNITS = PassCosts()


@settings(max_examples=60, deadline=None)
@given(program=programs(trains), data=st.data())
def test_stages_are_recomputed_right_before_their_backward(program, data):
    stages = data.draw(st.none() | st.sets(st.integers(0, program.stages - 1)))
    found = with_recompute(program, stages)
    check(found)
    activations_are_there(found)
    for before, after in zip(program.ranks, found.ranks, strict=True):
        assert tuple(record for record in after if not isinstance(record, Memory)) == before
    assert all(new <= old + 1e-9 for new, old in zip(peaks(found, UNITS), peaks(program, UNITS), strict=True))
    if stages is None:
        # no two of a rank's activations are there at once, except what deferred weight gradients keep
        assert max(peaks(found, UNITS)) <= program.microbatches
        assert (
            sum(isinstance(r, Memory) for records in found.ranks for r in records)
            == sum(len(program.path(m)) for m in range(program.microbatches)) * program.slices
        )


def test_recomputation_keeps_one_microbatch():
    assert peaks(with_recompute(in_order(8, 16)), UNITS) == (1.0,) * 8
    assert peaks(with_recompute(in_order(4, 8), {0, 3}), UNITS) == (1.0, 3.0, 2.0, 1.0)


@settings(max_examples=80, deadline=None)
@given(
    program=programs(trains),
    keep=st.integers(1, 6) | st.sampled_from((0.0, 0.3, 0.5, 0.9)),
    ahead=st.integers(0, 3),
    cut=st.booleans(),
    vocabulary=st.booleans(),
)
def test_moved_activations_are_back_in_time_and_memory_falls(program, keep, ahead, cut, vocabulary):
    if cut and whole(program):
        program = with_slices(program, 2)
    if vocabulary and stateless(program):
        program = with_vocabulary(program, 1)
    found = with_offload(program, keep, ahead)
    check(found)
    activations_are_there(found)
    assert build(found).acyclic
    for before, after in zip(program.ranks, found.ranks, strict=True):
        assert tuple(record for record in after if not isinstance(record, Memory)) == before
        assert all(lies <= max(keep, 1) + 1 + ahead + 1 for lies in _lying(after)) or keep < 1
        assert max(_lying(after), default=0) <= max(_lying(before), default=0)
    assert all(new <= old + 1e-9 for new, old in zip(peaks(found, UNITS), peaks(program, UNITS), strict=True))


def _lying(records):
    """How many activations there are while each record runs."""
    there = 0
    for record in records:
        parts = record[:2] if not isinstance(record, Memory) and isinstance(record[0], Compute) else (record,)
        there += sum(part.kind in ("F", "reload") for part in parts)
        yield there
        there -= sum(part.kind in ("B", "I", "offload") for part in parts)


def test_1f1b_keeps_what_it_is_told_to():
    """Rank 0 of eight stores eight; moved out, those that are kept, the one that comes back and the one computed."""
    program = in_order(8, 32)
    assert peaks(program, UNITS)[0] == 8
    for keep in (3, 4, 5, 6):
        assert peaks(with_offload(program, keep), UNITS)[0] == keep + 1
    assert peaks(with_offload(program, 0.5), UNITS)[0] == 5
    assert with_offload(program, 8) == program


def test_what_is_needed_last_goes():
    records = tuple(Compute("F", 0, i) for i in range(3)) + tuple(Compute("B", 0, i) for i in range(3))
    program = Program(ranks=(records,), stages=1, microbatches=3, placement=((0,),))
    found = [write_record(record) for record in with_offload(program, 2).ranks[0]]
    assert found == ["F0.0", "F0.1", "F0.2", "offload0.2", "B0.0", "reload0.2", "B0.1", "B0.2"]


def test_every_kind_of_program_takes_both():
    for program in filter(trains, all_programs()):
        found = with_offload(with_recompute(program, {0}), 0.5)
        check(found)
        activations_are_there(found)


def test_what_cannot_be_moved_says_why():
    program = in_order(2, 4)
    scoring = Program(ranks=((Compute("F", 0, 0),),), stages=1, microbatches=1, placement=((0,),), forward_only=True)
    for move in (with_recompute, lambda p: with_offload(p, 1)):
        with pytest.raises(UserError, match="keeps no activations"):
            move(scoring)
    with pytest.raises(UserError, match="stages is 2; expected stages from 0 to 1"):
        with_recompute(program, {2})
    with pytest.raises(UserError, match="neither recomputed nor moved already"):
        with_recompute(with_recompute(program, {1}))
    for keep in (-1, 1.5):
        with pytest.raises(UserError, match="keep is"):
            with_offload(program, keep)
    with pytest.raises(UserError, match="ahead is -1"):
        with_offload(program, 2, -1)
