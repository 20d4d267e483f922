"""Staleness: the definitions' figures for the asynchronous schedules, none for the others, and small cases by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.pipedream import pipedream
from stretto.schedule.generators.pipelined_backprop import pipelined_backprop
from stretto.schedule.generators.zb_h1 import zb_h1
from stretto.schedule.staleness import staleness, version_gap, versions_kept
from stretto.spec.program import Program
from stretto.spec.program_text import read_record

RANKS = st.integers(1, 7)
MORE = st.integers(0, 20)


@settings(max_examples=30)
@given(RANKS, MORE)
def test_pipedream(p, more):
    program = pipedream(p, p + more)
    assert staleness(program) == tuple(p - 1 - d for d in range(p))
    assert version_gap(program) == (0,) * p
    program = pipedream(p, 2 * p + more)
    assert versions_kept(program) == tuple(p - d for d in range(p))


@settings(max_examples=30)
@given(RANKS, MORE)
def test_pipelined_backprop(p, more):
    program = pipelined_backprop(p, 2 * p - 1 + more)
    assert staleness(program) == tuple(2 * (p - 1 - d) for d in range(p))
    assert version_gap(program) == tuple(2 * (p - 1 - d) for d in range(p))
    assert versions_kept(program) == (1,) * p


@settings(max_examples=20)
@given(RANKS, st.integers(1, 20))
def test_few_microbatches_grow_less_stale(p, m):
    assert staleness(pipedream(p, m)) == tuple(min(p - 1 - d, m - 1) for d in range(p))
    assert version_gap(pipelined_backprop(p, m)) == tuple(min(2 * (p - 1 - d), m - 1) for d in range(p))


def test_synchronous_programs_are_not_stale():
    for program in (zb_h1(3, 5), one_f_one_b(3, 4)):
        assert staleness(program) == version_gap(program) == (0, 0, 0)
        assert versions_kept(program) == (1, 1, 1)


def one_stage(text):
    """A program of one stage on one rank."""
    return Program(ranks=(tuple(map(read_record, text.split())),), stages=1, microbatches=3, placement=((0,),))


@pytest.mark.parametrize(
    ("text", "stale", "gap", "kept"),
    [
        ("F0.0 F0.1 B0.0 update0^1 B0.1 update0^2 F0.2^2 B0.2^2 update0^3", 1, 0, 2),
        ("F0.0 F0.1 F0.2 B0.0 B0.1 update0^1 B0.2^1 update0^2", 1, 1, 1),
        ("F0.0 F0.1 F0.2 I0.0 I0.1 update0^1 W0.0 W0.1 update0^2 I0.2^2 W0.2^2 update0", 2, 2, 2),
    ],
)
def test_by_hand(text, stale, gap, kept):
    program = one_stage(text)
    assert (staleness(program), version_gap(program), versions_kept(program)) == ((stale,), (gap,), (kept,))
