"""States: every stage is gathered before it is used, reduced once its gradients are there, and updated once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.graph import build
from stretto.schedule.state import rollback_of, with_state
from stretto.schedule.timing import timing
from stretto.schedule.vocabulary import with_vocabulary
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Program, State, passes_of
from stretto.spec.program_text import write_record
from tests.schedule.composing import all_programs, check, in_order, programs, stateless, trains

COSTS = PassCosts(gather=0.1, reduce=0.2, update=0.3, validate_update=0.05)


@settings(max_examples=80, deadline=None)
@given(
    program=programs(trains, stateless),
    gather=st.booleans(),
    validate=st.booleans(),
    vocabulary=st.booleans(),
)
def test_every_stage_has_its_states_in_order(program, gather, validate, vocabulary):
    if vocabulary:
        program = with_vocabulary(program, 1)
    stated = with_state(program, gather=gather, validate=validate)
    check(stated)
    for rank, (before, after) in enumerate(zip(program.ranks, stated.ranks, strict=True)):
        assert tuple(record for record in after if not isinstance(record, State)) == before
        for copy, stage in program.chunks(rank):
            _in_order(after, copy, stage, gather, validate)


def _in_order(records, copy, stage, gather, validate):
    uses = [
        place
        for place, record in enumerate(records)
        for part in passes_of(record)
        if isinstance(part, Compute) and (part.copy, part.stage) == (copy, stage)
    ]
    place = {r.kind: i for i, r in enumerate(records) if isinstance(r, State) and (r.copy, r.stage) == (copy, stage)}
    kinds = {"reduce", "update"} | ({"gather"} if gather and uses else set()) | ({"validate"} if validate else set())
    assert set(place) == kinds
    own = sum(isinstance(r, State) and (r.copy, r.stage) == (copy, stage) for r in records)
    assert own == len(kinds)
    if "gather" in kinds:
        assert place["gather"] < uses[0]
        assert all(isinstance(record, State) for record in records[place["gather"] : uses[0]])
    assert max(uses, default=-1) < place["reduce"] < place["update"]
    if uses:
        assert all(isinstance(record, State) for record in records[uses[-1] + 1 : place["reduce"]])
    reduces = [i for i, r in enumerate(records) if isinstance(r, State) and r.kind == "reduce"]
    if validate:
        assert place["validate"] > max(reduces)
    else:
        assert place["update"] > max(reduces)


@pytest.mark.parametrize("validate", [False, True])
def test_every_kind_of_program_can_be_timed_with_its_states(validate):
    for program in all_programs():
        if trains(program) and stateless(program):
            stated = with_state(program, gather=True, validate=validate)
            assert build(stated).acyclic
            held = sum(len(program.chunks(rank)) for rank in range(len(program.ranks)))
            each = program.stages / len(program.ranks)
            states = (0.2 + 0.3 + validate * 0.05) * held / each
            more = sum(timing(stated, COSTS).busy) - sum(timing(program, COSTS).busy)
            assert states - 1e-9 <= more <= states + 0.1 * held / each + 1e-9


def test_an_update_that_is_validated_waits_for_no_other():
    plain, early = (
        [write_record(r) for r in with_state(_looped(), validate=validate).ranks[0]] for validate in (False, True)
    )
    assert plain == ["F0.0", "F1.0", "B1.0", "reduce1", "B0.0", "reduce0", "update1", "update0"]
    assert early[2:] == ["B1.0", "reduce1", "update1", "B0.0", "reduce0", "update0", "validate1", "validate0"]
    undone = rollback_of(with_state(_looped(), validate=True))
    assert [write_record(r) for r in undone[0]] == ["rollback0", "rollback1"]
    assert rollback_of(with_state(_looped())) == ((),)


def _looped():
    records = (Compute("F", 0, 0), Compute("F", 1, 0), Compute("B", 1, 0), Compute("B", 0, 0))
    return Program(ranks=(records,), stages=2, microbatches=1, placement=((0, 0),))


def test_what_cannot_be_updated_says_why():
    with pytest.raises(UserError, match="parameters already"):
        with_state(with_state(in_order(2, 2)))
    scoring = Program(ranks=((Compute("F", 0, 0),),), stages=1, microbatches=1, placement=((0,),), forward_only=True)
    with pytest.raises(UserError, match="forward-only"):
        with_state(scoring)
