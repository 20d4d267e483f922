"""The vocabulary shared out: in any program, for one microbatch a barrier and no time that grows with microbatches."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.graph import build
from stretto.schedule.memory import peaks
from stretto.schedule.registry import KINDS
from stretto.schedule.slices import with_slices
from stretto.schedule.timing import timing
from stretto.schedule.vocabulary import with_vocabulary
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Pair, Program, State
from tests.schedule.composing import all_programs, check, in_order, programs, stateless, trains, whole

ROWS = Path(__file__).parents[2] / "benchmarks" / "data" / "pipeline_tables.csv"
GROWTH = 1.03
"""The longest that a further microbatch may take, in units of what its passes take and the program lost anyway."""
times = st.sampled_from((0.0, 0.01, 0.1, 0.3, 0.5, 1.0))
plain = st.builds(
    PassCosts,
    forward=st.sampled_from((0.5, 1.0, 1.3)),
    input_grad=st.sampled_from((0.5, 1.0, 1.2)),
    weight_grad=st.sampled_from((0.5, 1.0)),
    embed_forward=times,
    output_forward=times,
    output_grad=times,
    embed_grad=times,
    transfer=st.sampled_from((0.0, 0.03)),
    collective=st.sampled_from((0.0, 0.05)),
    pair=st.sampled_from((0.9, 1.0)),
)


@settings(max_examples=80, deadline=None)
@given(program=programs(trains, stateless), barriers=st.sampled_from((1, 2)), costs=plain, cut=st.booleans())
def test_every_training_program_takes_it_and_still_finishes(program, barriers, costs, cut):
    if cut and whole(program):
        program = with_slices(program, 2)
    shared = with_vocabulary(program, barriers, costs)
    check(shared)
    assert build(shared).acyclic
    assert (shared.barriers, shared.kind, shared.placement) == (barriers, program.kind, program.placement)
    for before, after in zip(program.ranks, shared.ranks, strict=True):
        for kinds in ("F", "BI", "W"):
            assert _parts(after, kinds) == _parts(before, kinds)


def _parts(records, kinds):
    parts = [p for r in records for p in (r[:2] if isinstance(r, Pair) else (r,)) if isinstance(p, Compute)]
    return [part for part in parts if part.kind in kinds]


@pytest.mark.parametrize("barriers", [1, 2])
def test_every_kind_of_program_takes_it(barriers):
    for program in all_programs():
        if trains(program) and stateless(program):
            check(with_vocabulary(program, barriers))


@settings(max_examples=30, deadline=None)
@given(ranks=st.integers(2, 8), more=st.integers(3, 12), barriers=st.sampled_from((1, 2)), costs=plain)
def test_on_1f1b_a_barrier_costs_one_microbatch_of_memory(ranks, more, barriers, costs):
    shared = with_vocabulary(in_order(ranks, ranks + more), barriers, costs)
    units = PassCosts()
    assert peaks(shared, units) <= tuple(ranks - d + barriers for d in range(ranks))
    # the first rank fills up where forwards come back no sooner than they can be sent
    assert peaks(with_vocabulary(in_order(ranks, ranks + more), barriers), units)[0] == ranks + barriers


@settings(max_examples=30, deadline=None)
@given(ranks=st.integers(2, 8), barriers=st.sampled_from((1, 2)), costs=plain)
def test_on_1f1b_the_bubble_is_that_of_1f1b_whatever_m_is(ranks, barriers, costs):
    """Without transfers, which 1F1B waits for in every microbatch, and which the extra microbatch hides."""
    costs = costs.model_copy(update={"transfer": 0.0})
    each = costs.embed_forward + costs.output_forward + costs.output_grad + costs.embed_grad
    extra = []
    for microbatches in (3 * ranks, 6 * ranks):
        program = in_order(ranks, microbatches)
        shared = timing(with_vocabulary(program, barriers, costs), costs).makespan
        extra.append(shared - timing(program, costs).makespan - microbatches * each)
    assert extra[0] <= each + costs.forward + (2 + barriers) * costs.collective + 1e-9
    a_microbatch = costs.forward + costs.input_grad + costs.weight_grad + each
    assert extra[1] <= extra[0] + (GROWTH - 1) * 3 * ranks * a_microbatch + 1e-9


GROWTHS = dict.fromkeys(("1f1b", "interleaved-1f1b", "zb-h1", "zb-h2", "zb-v", "sliced-1f1b"), GROWTH)
# pairs may be split, directions collide, paths differ: nothing lost on average over costs, at worst this
GROWTHS |= {"sliced-1f1b": 1.15, "sliced-zb": 1.15}  # a slice in flight hides less of slow messages
GROWTHS |= {"dualpipe": 1.07, "dualpipe-v": 1.07, "bitpipe": 1.1, "chimera": 1.15, "skip": 1.15}


@pytest.mark.slow
@pytest.mark.parametrize("barriers", [1, 2])
@pytest.mark.parametrize("kind", GROWTHS)
@settings(max_examples=8, deadline=None)
@given(costs=plain)
def test_a_further_microbatch_costs_its_passes_alone(kind, barriers, costs):
    base, shared = [], []
    each = costs.embed_forward + costs.output_forward + costs.output_grad + costs.embed_grad
    for microbatches in (32, 64):
        program = KINDS[kind].make(8, microbatches)
        base.append(timing(program, costs).makespan)
        shared.append(timing(with_vocabulary(program, barriers, costs), costs).makespan)
    assert shared[1] - shared[0] <= GROWTHS[kind] * (base[1] - base[0] + 32 * each)


def test_what_cannot_take_it_says_why():
    program = in_order(2, 3)
    with pytest.raises(UserError, match="barriers is 3; expected 1 or 2"):
        with_vocabulary(program, 3)
    with pytest.raises(UserError, match="shared out once"):
        with_vocabulary(with_vocabulary(program, 1), 1)
    scoring = Program(ranks=((Compute("F", 0, 0),),), stages=1, microbatches=1, placement=((0,),), forward_only=True)
    with pytest.raises(UserError, match=r"forward-only.*scoring has neither"):
        with_vocabulary(scoring, 1)
    for extra in (State("update", 0), Memory("recompute", 0, 0)):
        records = (Compute("F", 0, 0), extra, Compute("B", 0, 0))
        with pytest.raises(UserError, match="share out the vocabulary first"):
            with_vocabulary(Program(ranks=(records,), stages=1, microbatches=1, placement=((0,),)), 1)


def _rows():
    with ROWS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if "exp_one_host" in row["source"]]
    return [row for row in rows if row["metric"] == "iteration_time" and row["schedule"] != "interlaced"]


def _vector(text, share=1.0):
    return tuple(float(x) * share / 1000 for x in text.split("|"))


def _simulated(row):
    costs = {"forward": _vector(row["tf"]), "backward": _vector(row["tb"])}
    program = in_order(int(row["p"]), int(row["m"]))
    if "Vocab" not in row["schedule"]:
        return timing(program, PassCosts(**costs)).makespan
    barriers = 1 if "one barrier" in row["schedule"] else 2
    # S multiplies by the output embedding once, and with one barrier once more for the hidden state's gradient
    score = 2 / 3 if barriers == 1 else 1 / 3
    output, lookup, gradient = re.findall(r"(?:per device|input fwd|input bwd): ([\d|]+)", row["note"])
    measured = PassCosts(
        **costs,
        embed_forward=_vector(lookup),
        output_forward=_vector(output, score),
        output_grad=_vector(output, 1 - score),
        embed_grad=_vector(gradient),
    )
    return timing(with_vocabulary(program, barriers, measured), measured).makespan


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row['table']} {row['schedule']}")
def test_measured_iterations_take_as_long_as_simulated(row):
    """Sixteen runs on eight A100 (sail-sg/VocabularyParallelism, artifact), half of them without shared vocabulary."""
    low, high = (0.95, 1.05) if "Vocab" in row["schedule"] else (0.98, 1.02)
    assert low <= _simulated(row) / float(row["value"]) <= high


def test_the_measured_rows_are_all_there():
    assert len(_rows()) == 16
