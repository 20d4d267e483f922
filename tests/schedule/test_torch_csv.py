"""torch's schedule files: its own test values, round trips, refusals; torch reads ours and writes what we read."""

from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.breadth_first import breadth_first
from stretto.schedule.generators.dualpipe_v import dualpipe_v
from stretto.schedule.generators.gpipe import gpipe
from stretto.schedule.generators.interleaved import interleaved
from stretto.schedule.generators.interleaved_zb import interleaved_zb
from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.zb_h1 import zb_h1
from stretto.schedule.generators.zb_h2 import zb_h2
from stretto.schedule.generators.zb_v import zb_v
from stretto.schedule.lower import lower
from stretto.schedule.timing import timing
from stretto.schedule.torch_csv import read_csv, read_torch_csv, write_comms_csv, write_compute_csv
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.lowered import Collective, Exchange, Lowered, Receive, Send
from stretto.spec.program import Compute, Pair, Program, State

GOLDEN = Path(__file__).parents[2] / "benchmarks" / "data" / "torch_csv"
THEIRS = {
    interleaved: "Interleaved1F1B",
    breadth_first: "LoopedBFS",
    interleaved_zb: "InterleavedZeroBubble",
    zb_v: "ZBVZeroBubble",
    dualpipe_v: "DualPipeV",
}
OURS = [gpipe, one_f_one_b, zb_h1, zb_h2, *THEIRS]


def makespan(program):
    ones = (1.0,) * program.stages
    return timing(program, PassCosts(forward=ones, input_grad=ones, weight_grad=ones)).makespan


def test_golden_zero_bubble_takes_as_many_steps_as_the_file_has_columns():
    text = (GOLDEN / "zb1p_2rank_2stagep_compute.csv").read_text()
    program = read_csv(text)
    assert isinstance(program, Program)
    assert (program.stages, program.microbatches, program.placement) == (4, 8, ((0, 1, 0, 1),))
    assert makespan(program) == max(row.count(",") + 1 for row in text.splitlines()) == 49
    assert write_compute_csv(program) == text.replace(",,", ",").replace("\n,", "\n")


def test_golden_dualpipev_has_the_bubble_of_its_formula():
    program = read_torch_csv(GOLDEN / "dualpipev_4rank_10mb.csv")
    assert program.placement == ((0, 1, 2, 3, 3, 2, 1, 0),)
    assert program.ranks == dualpipe_v(4, 10).ranks
    assert program.ranks[0][17] == Pair(Compute("F", 0, 7), Compute("B", 7, 3))
    pair, backward, weight, busy = 3, 2, 1, 10 * 2 * 3
    assert makespan(program) == busy + (4 - 1) * (pair + backward - 3 * weight)
    assert write_compute_csv(program) == (GOLDEN / "dualpipev_4rank_10mb.csv").read_text()


def test_golden_communication_is_taken_as_written():
    text = (GOLDEN / "zb1p_2rank_2stagep_comms.csv").read_text()
    lowered = read_csv(text)
    assert isinstance(lowered, Lowered)
    assert lowered.ranks[0][:3] == (Compute("F", 0, 0), Send(Compute("F", 0, 0), 1), Receive(Compute("F", 1, 0), 1))
    assert Receive(Compute("I", 3, 0), 1) in lowered.ranks[0]
    assert Receive(Compute("B", 2, 0), 0) in lowered.ranks[1]
    for a, b in ((0, 1), (1, 0)):
        sent = [s.what for s in lowered.ranks[a] if isinstance(s, Send) and s.peer == b]
        received = [s.what for s in lowered.ranks[b] if isinstance(s, Receive) and s.peer == a]
        assert sorted(sent) == sorted(received)
        assert len(sent) == 3 * 8
    written = write_comms_csv(lowered)
    assert [c for c in written.replace("\n", ",\n,").split(",") if "REDUCE" not in c] == text.replace(
        "\n", ",\n,"
    ).split(",")
    assert written.count("REDUCE_GRAD") == 4


@pytest.mark.parametrize("make", OURS)
@settings(max_examples=8, deadline=None)
@given(ranks=st.integers(1, 4), groups=st.integers(1, 3))
def test_programs_come_back_as_they_were(make, ranks, groups):
    program = make(ranks, max(ranks * groups, 2 * ranks))
    found = read_csv(write_compute_csv(program))
    assert found == Program(**{f: getattr(program, f) for f in Program.__slots__ if f != "kind"})
    lowered = lower(program)
    back = read_csv(write_comms_csv(lowered))
    if ranks == 1:
        assert isinstance(back, Program)
        return
    assert [flat(rank, steps) for rank, steps in enumerate(lowered.ranks)] == [
        [s for s in steps if not isinstance(s, State)] for steps in back.ranks
    ]
    assert back.program.placement == program.placement


def flat(rank, steps):
    """Exchanges in the order in which torch's form has them."""
    for step in steps:
        if isinstance(step, Exchange):
            assert rank != step.peer
    return [
        part
        for step in steps
        for part in (
            ((step.send, step.receive) if rank < step.peer else (step.receive, step.send))
            if isinstance(step, Exchange)
            else (step,)
        )
    ]


def test_an_exchange_is_received_first_on_one_side():
    there, back = Compute("F", 0, 1), Compute("B", 1, 0)
    ranks = (
        (Compute("F", 0, 0), there, Exchange(Send(there, 1), Receive(back, 1)), Compute("B", 0, 0)),
        (Compute("F", 1, 0), back, Exchange(Send(back, 0), Receive(there, 0)), Compute("F", 1, 1)),
    )
    records = tuple(tuple(s for s in steps if isinstance(s, Compute)) for steps in ranks)
    program = Program(ranks=records, stages=2, microbatches=2, placement=((0, 1),))
    assert write_comms_csv(Lowered(program=program, ranks=ranks)) == (
        "0F0,0F1,0SEND_F1,0RECV_B0,0B0,0REDUCE_GRAD\n1F0,1B0,1REDUCE_GRAD,1RECV_F1,1SEND_B0,1F1\n"
    )


def test_state_and_padding():
    program = read_csv("0UNSHARD, 0F0,,(0F1;0B0)OVERLAP_F_B,0B1,0RESHARD,0REDUCE_GRAD,,\r\n")
    pair = Pair(Compute("F", 0, 1), Compute("B", 0, 0))
    expected = (State("gather", 0), Compute("F", 0, 0), pair, Compute("B", 0, 1), State("reduce", 0))
    assert program.ranks == (expected,)
    assert write_comms_csv(lower(program)) == "0UNSHARD,0F0,(0F1;0B0)OVERLAP_F_B,0B1,0REDUCE_GRAD\n"
    with pytest.raises(UserError, match=r"rank 0 is 'gather0'; expected passes and pairs alone"):
        write_compute_csv(program)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the text is empty"),
        ("0F0,0B0\n\n", r"row 2 has no actions; expected those of rank 1\."),
        ("0F0\n1F0,1X0\n", r"row 2, cell 2 is '1X0'; expected an action such as 0F1"),
        ("0F0,0B\n", "row 1, cell 2 is '0B'"),
        ("0F0,0B0junk\n", "row 1, cell 2 is '0B0junk'"),
        ("0F0,(0B0;0F1)OVERLAP_F_B\n", r"cell 2 is '\(0B0;0F1\)OVERLAP_F_B'"),
        ("0F0,0UNSHARD3\n", "cell 2 is '0UNSHARD3'"),
        ("0F0,2BW0\n", "cell 2 is '2BW0'"),
        ("0F0,9999999F0\n", "cell 2 is '9999999F0'"),
        ("0F0\n0B0\n", "row 2, cell 1 is '0B0'; expected every stage on one rank, and row 1 computes stage 0 too"),
        ("0F0,2F0\n", "no row computes stage 1; expected every stage from 0 to 2"),
        ("0F0,0F999999\n", "no row computes microbatch 1; expected every microbatch from 0 to 999999"),
        ("0REDUCE_GRAD\n", "no row computes anything"),
        ("0F0,1RECV_F0\n1F0\n", "row 1, cell 2 is '1RECV_F0'; expected a stage that this row computes, and row 2"),
        ("0F0,5REDUCE_GRAD\n", "and no row computes stage 5"),
        ("0F0\n1F0,1SEND_F0\n", "row 2, cell 2 is '1SEND_F0'; expected a stage with a neighbour after it"),
        ("0F0,0SEND_B0\n", "expected a stage with a neighbour before it"),
        ("0F0,1F0,0SEND_F0\n", "expected a neighbour on another rank, and this row computes stage 1 too"),
        ("0F0,0SEND_F7\n1F0\n", "row 1, cell 2 is '0SEND_F7'; expected a microbatch from 0 to 0"),
        ('0F0,"' + "x" * 200000 + '"\n', "not comma-separated values"),
    ],
)
def test_damaged_text_is_one_sentence(text, sentence):
    with pytest.raises(UserError, match=sentence):
        read_csv(text)


def test_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "schedule.csv"
    with pytest.raises(UserError, match=r"schedule\.csv does not exist"):
        read_torch_csv(path)
    path.write_bytes(b"\xff\xfe0F0")
    with pytest.raises(UserError, match="cannot be read as a schedule file of torch"):
        read_torch_csv(path)
    path.write_text("0G0\n")
    with pytest.raises(UserError, match=r"schedule\.csv: row 1, cell 1 is '0G0'"):
        read_torch_csv(path)


def program(*records, **fields):
    table = {"stages": 1, "microbatches": 1, "placement": ((0,),)}
    return Program(ranks=(records or (Compute("F", 0, 0), Compute("B", 0, 0)),), **{**table, **fields})


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (program(placement=((0,), (0,))), "program.copies is 2; expected 1"),
        (program(slices=2), "program.slices is 2; expected 1"),
        (program(barriers=1), "program.barriers is 1; expected 0"),
        (program(forward_only=True), "program.forward_only is True; expected False"),
        (program(stages=2, placement=((0, 0),), paths=((0,),)), r"program\.paths\[0\] is \[0\]; expected every stage"),
        (
            program(State("update", 0, version=1)),
            r"program\.ranks\[0\] is \['update0\^1'\]; expected a rank",
        ),
        (program(Compute("F", 0, 0, version=1)), r"rank 0 is 'F0\.0\^1'; expected a pass that reads weight version 0"),
        (program(Pair(Compute("F", 0, 0), Compute("B", 0, 0), True)), "expected a pair whose results both leave"),
    ],
)
def test_programs_that_the_form_cannot_hold(value, sentence):
    with pytest.raises(UserError, match=sentence + r".* \(torch's schedule files have no form for it\)\."):
        write_compute_csv(value)
    with pytest.raises(UserError, match=sentence):
        write_comms_csv(Lowered(program=value, ranks=value.ranks))


def test_steps_that_the_form_cannot_hold():
    one = program()
    for step in (State("update", 0), Collective("all-reduce", State("reduce", 0), (0,))):
        with pytest.raises(UserError, match=r"rank 0 is .*torch's schedule files have no form for it"):
            write_comms_csv(Lowered(program=one, ranks=((*one.ranks[0], step),)))


@pytest.mark.slow
@pytest.mark.parametrize("make", THEIRS)
@pytest.mark.parametrize(("ranks", "microbatches"), [(2, 4), (4, 8), (4, 12)])
def test_torchs_own_schedules_are_ours(make, ranks, microbatches):
    from torch.distributed.pipelining._schedule_visualizer import get_schedule_ops

    def text(rows):
        return "".join(",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in rows)

    ours = make(ranks, microbatches)
    theirs = read_csv(text(get_schedule_ops(THEIRS[make], ranks, microbatches)))
    assert theirs.placement == ours.placement
    assert theirs.ranks == ours.ranks
    with_comms = read_csv(text(get_schedule_ops(THEIRS[make], ranks, microbatches, with_comms=True)))
    passes = tuple(tuple(r for r in rank if not isinstance(r, State)) for rank in with_comms.program.ranks)
    assert passes == ours.ranks
    assert sum(isinstance(r, State) and r.kind == "reduce" for rank in with_comms.ranks for r in rank) == ours.stages


@pytest.mark.slow
@pytest.mark.parametrize("form", ["compute_only", "compute_comms"])
@pytest.mark.parametrize("make", OURS)
def test_torch_reads_what_we_write(tmp_path, make, form):
    from torch.distributed.pipelining.schedules import _PipelineScheduleRuntime
    from torch.distributed.pipelining.stage import PipelineStage

    ours = make(4, 8)
    text = write_compute_csv(ours) if form == "compute_only" else write_comms_csv(lower(ours))
    path = tmp_path / "schedule.csv"
    path.write_text(text)
    stage = mock.create_autospec(PipelineStage, instance=True)
    stage.group_rank, stage.group_size, stage.num_stages, stage.submod = 0, 4, ours.stages, None
    runtime = _PipelineScheduleRuntime([stage] * (ours.stages // 4), 8)
    runtime._load_csv(str(path), format=form)
    assert runtime.stage_index_to_group_rank == dict(enumerate(ours.placement[0]))
    held = runtime.pipeline_order if form == "compute_only" else runtime.pipeline_order_with_comms
    assert [",".join(map(str, held[rank])) for rank in range(4)] == text.splitlines()


def test_a_sending_program_is_lowered():
    assert isinstance(read_csv(write_comms_csv(lower(one_f_one_b(2, 2)))), Lowered)
