"""What a simulation says: identities for any program and costs, and examples worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.report.perfetto import perfetto
from stretto.schedule.memory import peaks
from stretto.schedule.registry import KINDS
from stretto.simulate.network import Network
from stretto.simulate.programs import simulate
from stretto.simulate.simulation import CAUSES
from stretto.spec.costs import PassCosts
from stretto.spec.program import Program
from stretto.spec.program_text import write_record
from stretto.spec.trace import Trace
from stretto.spec.value import load
from tests.simulate.programs import (
    costs_for,
    gpipe,
    programs,
    with_memory_and_state,
    with_vocabulary,
    written,
)

FAIR = Network(bandwidth=2.0, message_bytes=1.0, shared="all")


@st.composite
def simulations(draw):
    program = draw(programs())
    costs = draw(costs_for(program))
    return simulate(program, costs, network=draw(st.sampled_from([None, FAIR])), jitter=draw(st.sampled_from([0, 0.2])))


@settings(max_examples=60)
@given(simulation=simulations())
def test_busy_and_idle_time_add_up_to_the_makespan_on_every_rank(simulation):
    for busy, causes, pieces in zip(simulation.busy, simulation.causes, simulation.pieces, strict=True):
        assert tuple(causes) == CAUSES
        assert min(causes.values()) >= 0
        assert busy + sum(causes.values()) == pytest.approx(simulation.makespan, rel=1e-12, abs=1e-12)
        waited = sum(p.idle for p in pieces) + simulation.makespan - (pieces[-1].end if pieces else 0)
        inside = sum(p.end - p.start for p in pieces)
        assert waited + inside == pytest.approx(simulation.makespan)


@settings(max_examples=30)
@given(simulation=simulations())
def test_idle_pieces_have_a_cause_and_a_record_that_was_waited_for(simulation):
    for pieces in simulation.pieces:
        end = 0.0
        for piece in pieces:
            assert piece.idle == pytest.approx(piece.start - end)
            assert (piece.idle > 0) == (piece.cause is not None) == bool(piece.waited_for)
            end = piece.end
            if piece.awaited is not None:
                assert piece.awaited in simulation.program.ranks[piece.awaited_rank]


@settings(max_examples=30)
@given(simulation=simulations())
def test_memory_rises_to_the_peaks_of_the_program(simulation):
    assert simulation.peaks == pytest.approx(peaks(simulation.program, simulation.costs))
    for steps in simulation.memory:
        assert [time for time, _ in steps] == sorted(time for time, _ in steps)


@settings(max_examples=30)
@given(data=st.data(), program=programs())
def test_nothing_is_faster_than_the_lower_bound(data, program):
    costs = data.draw(costs_for(program))
    for network in (None, FAIR):
        simulation = simulate(program, costs, network=network)
        assert simulation.makespan >= simulation.lower_bound - 1e-9
        assert simulation.transfers == len(simulation.links)


@pytest.mark.parametrize("backward", ["B", "IW"])
def test_the_bubble_of_gpipe(backward):
    """p = 4, m = 8, F = I = W = 1: (p - 1)(F + B) = 9 on every rank, 27 of 33 on none."""
    simulation = simulate(gpipe(4, 8, backward), PassCosts())
    bubble = 9 if backward == "B" else 6  # Split, W is off the path between ranks.
    assert simulation.makespan == 24 + bubble
    assert simulation.busy == (24,) * 4
    assert [sum(c.values()) for c in simulation.causes] == [bubble] * 4
    assert [c["dependency"] for c in simulation.causes] == [bubble] * 4
    assert simulation.bubble_rate_makespan == pytest.approx(bubble / (24 + bubble))
    assert simulation.transfers == 2 * 3 * 8
    assert simulation.peaks == (8,) * 4


def test_zero_bubble_has_its_bubble_in_the_makespan_only():
    """ZB-H2 (Qi et al. 2023): nobody waits between first and last pass; the makespan has the filling."""
    simulation = simulate(KINDS["zb-h2"].make(4, 12), PassCosts())
    last = [p for pieces in simulation.pieces for p in pieces if write_record(p.record)[0] in "FIW"]
    assert simulation.busy == (36,) * 4
    assert max(p.end for p in last) == 36 + 3
    assert simulation.bubble_rate_makespan == pytest.approx(3 / 39)


def test_a_wait_is_split_into_computing_and_being_under_way():
    program = written("F0.0 B0.0", "F1.0 B1.0", microbatches=1)
    simulation = simulate(program, PassCosts(forward=1.0, backward=2.0, transfer=0.25))
    first, second = simulation.causes
    assert simulation.makespan == 6.5
    # Rank 0 waits 3 for F1.0 and B1.0 to be computed, and for two messages: one it is waiting for itself.
    assert first == {"dependency": 3.25, "transfer": 0.25, "memory": 0, "imbalance": 0, "synchronisation": 0}
    assert second == {"dependency": 3.25, "transfer": 0.25, "memory": 0, "imbalance": 0, "synchronisation": 0}
    piece = simulation.pieces[0][1]
    assert (piece.idle, piece.cause, piece.waited_for) == (3.5, "dependency", "B1.0 on rank 1")
    slow = simulate(program, PassCosts(forward=1.0, backward=2.0, transfer=5.0)).pieces[1][0]
    assert (slow.idle, slow.cause, slow.waited_for) == (6.0, "transfer", "F0.0 on rank 0")


def test_imbalance_is_what_the_busiest_rank_has_more_to_do():
    """The last of three ranks has twice the work: the others' wait is that difference, and the filling."""
    simulation = simulate(gpipe(3, 10), PassCosts(forward=(1.0, 1.0, 2.0), backward=(2.0, 2.0, 4.0)))
    assert [c["imbalance"] for c in simulation.causes] == [30, 30, 0]
    filling = simulation.makespan - 60
    assert [c["dependency"] for c in simulation.causes] == [filling] * 3


def test_collectives_wait_for_their_last_rank():
    """Rank 0 has the larger share of the vocabulary; results are everywhere 0.5 later."""
    program = written("E0 F0.0 S0 B0.0", "E0 F1.0 S0 B1.0", microbatches=1, barriers=1)
    costs = PassCosts(forward=1.0, backward=2.0, collective=0.5, output_forward=(3.0, 1.0))
    simulation = simulate(program, costs)
    # E: 0 to 0, everywhere at 0.5. F0.0 0.5-1.5, F1.0 1.5-2.5, hidden state everywhere at 3. S: 3-6 and 3-4.
    # Rank 1 is done with its S at 4, waits 2 for rank 0's and 0.5 for the sum; B1.0 6.5-8.5, B0.0 8.5-10.5.
    assert simulation.makespan == 10.5
    assert simulation.causes[1]["synchronisation"] == 2.5 + 0.5
    assert simulation.causes[1]["dependency"] + simulation.causes[1]["imbalance"] == 1.5 + 2.0
    waited = {write_record(p.record): (p.idle, p.cause, p.waited_for) for p in simulation.pieces[1]}
    assert waited["B1.0"] == (2.5, "synchronisation", "S0 on rank 0")
    # Nobody had embedded anything at 0, so rank 0 waits for the collective alone; then for F1.0 and the sum.
    assert simulation.pieces[0][1][3:5] == (0.5, "synchronisation")
    assert simulation.pieces[0][2].waited_for == "F1.0 on rank 1"


def test_memory_and_state_records_are_overhead():
    costs = PassCosts(gather=0.5, offload=0.25, reload=0.25, recompute=1.0, reduce=2.0, update=0.75)
    simulation = simulate(with_memory_and_state(), costs)
    first, second = simulation.causes
    assert (first["memory"], second["memory"]) == (1.5, 1.0)
    assert simulation.busy == (6, 6)
    inside = sum(p.end - p.start for p in simulation.pieces[0])
    assert inside == 6 + 1.5 + 3.25
    assert first["synchronisation"] >= 3.25


def test_memory_is_a_step_curve():
    simulation = simulate(written("F0.0 F0.1 I0.0 W0.0 B0.1", microbatches=2), PassCosts(weight_activation=0.25))
    assert simulation.memory == (((0, 1), (1, 2), (3, 1.25), (4, 1), (6, 0)),)


def test_vocabulary_passes_count_as_work():
    simulation = simulate(with_vocabulary(2), PassCosts(embed_forward=0.125, embed_grad=0.25))
    assert simulation.busy == (6 + 2 * (0.125 + 0.5 + 0.5 + 0.25),) * 2


def test_the_trace_is_one_that_pages_read():
    simulation = simulate(gpipe(2, 2), PassCosts(transfer=0.5))
    trace = simulation.trace
    assert load(Trace, trace.model_dump(mode="python"), "trace") == trace
    assert trace.source == "simulated"
    assert {(s.rank, s.what, s.start_s, s.end_s) for s in trace.spans} == {
        (rank, write_record(p.record), p.start, p.end) for rank, ps in enumerate(simulation.pieces) for p in ps
    }
    assert max(c.value for c in trace.counters if c.rank == 1) == 2
    assert len(perfetto(trace)["traceEvents"]) > len(trace.spans)


def test_a_program_without_time_has_no_bubble():
    nothing = simulate(gpipe(2, 2), PassCosts(forward=0.0, backward=0.0))
    assert (nothing.bubble_rate_makespan, nothing.bubble_rate_span, nothing.makespan) == (0, 0, 0)
    idle = Program(ranks=(gpipe(1, 1).ranks[0], ()), stages=1, microbatches=1, placement=((0,),))
    found = simulate(idle, PassCosts())
    assert found.causes[1] == {"dependency": 0, "transfer": 0, "memory": 0, "imbalance": 6, "synchronisation": 0}
    assert found.spans == (6, 0)
