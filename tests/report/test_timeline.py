import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.report.timeline import Part, from_simulation, from_trace
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import passes
from stretto.spec.program_text import write_record
from stretto.spec.trace import Counter, Span, Trace
from tests.report.programs import chunked, one_forward_one_backward, paired, simulated

SIMULATION = simulated(one_forward_one_backward(3, 5, split=True))


def test_every_bar_is_a_record_of_the_program_where_the_simulation_put_it():
    timeline = from_simulation(SIMULATION)
    assert [lane.label for lane in timeline.lanes] == ["rank 0", "rank 1", "rank 2"]
    for lane, pieces, records in zip(timeline.lanes, SIMULATION.pieces, SIMULATION.program.ranks, strict=True):
        assert [bar.text for bar in lane.bars] == [write_record(record) for record in records]
        assert [bar[:2] for bar in lane.bars] == [(piece.start, piece.end) for piece in pieces]
        assert [(bar.idle, bar.cause, bar.waited_for) for bar in lane.bars] == [
            (piece.idle, piece.cause, piece.waited_for) for piece in pieces
        ]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.sampled_from([0.0, 0.3]))
def test_figures_of_the_timeline_are_those_of_the_simulation(ranks, microbatches, chunks, transfer):
    simulation = simulated(chunked(ranks, microbatches, chunks), PassCosts(transfer=transfer))
    timeline = from_simulation(simulation)
    assert timeline.makespan == pytest.approx(simulation.makespan)
    assert timeline.bubble_rate_makespan == pytest.approx(simulation.bubble_rate_makespan)
    assert timeline.bubble_rate_span == pytest.approx(simulation.bubble_rate_span)
    assert tuple(lane.peak for lane in timeline.lanes) == simulation.peaks
    assert tuple(map(dict, (lane.causes for lane in timeline.lanes))) == simulation.causes
    assert sum(len(bar.parts) for lane in timeline.lanes for bar in lane.bars) == len(list(passes(simulation.program)))
    assert timeline.chunks == chunks


def test_a_pair_is_one_bar_of_two_parts():
    bar = from_simulation(simulated(paired(4))).lanes[0].bars[1]
    assert bar.text == "F0.1+B0.0"
    assert bar.parts == (Part("F", 0, 1), Part("B", 0, 0))


def test_a_trace_of_a_simulation_is_drawn_like_the_simulation_itself():
    traced, simulated_ = from_trace(SIMULATION.trace), from_simulation(SIMULATION)
    for one, other in zip(traced.lanes, simulated_.lanes, strict=True):
        assert [bar.parts for bar in one.bars] == [bar.parts for bar in other.bars]
        assert [bar[:2] for bar in one.bars] == [bar[:2] for bar in other.bars]
        assert [bar.idle for bar in one.bars] == pytest.approx([bar.idle for bar in other.bars])
        assert one.memory == other.memory
    assert traced.bubble_rate_makespan == pytest.approx(simulated_.bubble_rate_makespan)


def measured(**fields):
    spans = (
        Span(rank=1, stream="compute", what="F1.0", start_s=7.5, end_s=8),
        Span(rank=0, stream="network", what="all-reduce", start_s=7, end_s=7.25),
        Span(rank=0, stream="compute", what="clip gradients", start_s=8, end_s=8.5),
        Span(rank=0, stream="compute", what="F0.0", start_s=7, end_s=7.5),
        Span(rank=0, stream="compute", what="update0", start_s=8.5, end_s=8.75),
    )
    counters = (
        Counter(rank=0, name="memory_bytes", time_s=7.5, value=2048),
        Counter(rank=0, name="loss", time_s=8, value=3),
    )
    return from_trace(Trace(source="measured", spans=spans, counters=counters), **fields)


def test_a_measured_trace_starts_at_its_first_span_and_keeps_names_that_are_no_records():
    timeline = measured()
    assert [lane.label for lane in timeline.lanes] == ["rank 0", "rank 0 network", "rank 1"]
    first = timeline.lanes[0]
    assert [(bar.start, bar.end, bar.text, bar.parts[0].kind, bar.idle) for bar in first.bars] == [
        (0, 0.5, "F0.0", "F", 0),
        (1, 1.5, "clip gradients", "other", 0.5),
        (1.5, 1.75, "update0", "state", 0),
    ]
    assert first.memory == ((0.5, 2048),)
    assert (timeline.unit, timeline.memory_unit) == ("s", "bytes")
    # Two lanes compute, half a second each.
    assert timeline.bubble_rate_makespan == pytest.approx(1 - 1 / 3.5)


def test_another_counter_can_be_asked_for_and_an_unknown_one_or_no_span_is_refused():
    assert measured(counter="loss").lanes[0].memory == ((1, 3),)
    with pytest.raises(UserError, match="no counter 'bytes'; it has loss, memory_bytes"):
        measured(counter="bytes")
    with pytest.raises(UserError, match="no span"):
        from_trace(Trace(source="measured"))
