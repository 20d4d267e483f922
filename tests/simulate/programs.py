"""Programs to simulate: small ones of every kind, written-out ones with the rarer records, and costs to draw."""

from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from stretto.schedule.registry import KINDS
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Pair, Program
from stretto.spec.program_text import read_record

SIZES = ((1, 2), (2, 1), (2, 3), (2, 4), (3, 6), (4, 8))


def written(*ranks, microbatches, barriers=0):
    """One stage a rank, records as text."""
    records = tuple(tuple(map(read_record, rank.split())) for rank in ranks)
    placement = (tuple(range(len(ranks))),)
    return Program(ranks=records, stages=len(ranks), microbatches=microbatches, placement=placement, barriers=barriers)


def gpipe(ranks, microbatches, backward="B"):
    """All forwards, then all backwards."""
    records = tuple(
        (
            *(Compute("F", rank, i) for i in range(microbatches)),
            *(Compute(kind, rank, i) for i in range(microbatches) for kind in backward),
        )
        for rank in range(ranks)
    )
    placement = (tuple(range(ranks)),)
    return Program(ranks=records, stages=ranks, microbatches=microbatches, placement=placement, kind="gpipe")


def with_vocabulary(barriers):
    return written(
        "E0 F0.0 E1 F0.1 S0 S1 T0 T1 B0.0 G0 B0.1 G1",
        "E0 E1 F1.0 S0 F1.1 S1 T0 B1.0 T1 B1.1 G0 G1",
        microbatches=2,
        barriers=barriers,
    )


def with_memory_and_state():
    return written(
        "gather0 F0.0 offload0.0 F0.1 reload0.0 B0.0 recompute0.1 B0.1 reduce0 update0",
        "gather1 F1.0 B1.0 F1.1 recompute1.1 I1.1 W1.1 reduce1 update1",
        microbatches=2,
    )


def with_twins():
    """A pair that needs two results of one pair of another rank: of copy 0 forward, of copy 1 backward.

    Stage 1 of copy 0 and stage 0 of copy 1 are on rank 1; the other two on rank 0.
    """
    ranks = (
        ("F0.0", "F1.1@1", "F0.2+I1.1@1", "I0.0", "I0.2", "W0.0", "W1.1@1", "W0.2"),
        ("F0.1@1", "F1.0", "I1.0", "F1.2+I0.1@1", "I1.2", "W1.0", "W0.1@1", "W1.2"),
    )
    records = tuple(tuple(map(read_record, rank)) for rank in ranks)
    return Program(ranks=records, stages=2, microbatches=3, placement=((0, 1), (1, 0)))


def leaving_early(program):
    """The same with outputs of pairs that leave early."""
    ranks = tuple(
        tuple(r._replace(early_output=True) if isinstance(r, Pair) else r for r in records) for records in program.ranks
    )
    return replace(program, ranks=ranks)


@cache
def all_programs():
    """One small program of every kind and size that it admits, and the written-out ones."""
    found = [with_vocabulary(1), with_vocabulary(2), with_memory_and_state(), gpipe(3, 4)]
    found += [with_twins(), leaving_early(with_twins())]
    for name, kind in sorted(KINDS.items()):
        for sizes in SIZES if not kind.options & {"memory_cap", "exact"} else ():
            try:
                found.append(kind.make(*sizes))
            except UserError:
                continue
            if "pipe" in name:
                found.append(leaving_early(found[-1]))
    assert any(isinstance(r, Pair) and r.early_output for p in found for records in p.ranks for r in records)
    return tuple(found)


def programs():
    """A strategy: any of them."""
    return st.deferred(lambda: st.sampled_from(all_programs()))


@st.composite
def costs_for(draw, program):
    """Costs that differ from stage to stage, from pass to pass and from link to link."""
    number = st.floats(0.0, 4.0)
    ranks, stages = len(program.ranks), program.stages
    per_stage = st.one_of(number, st.tuples(*[number] * stages))
    shared = st.one_of(
        st.tuples(number, number), st.tuples(st.tuples(*[number] * stages), st.tuples(*[number] * stages))
    )
    per_rank = st.one_of(number, st.tuples(*[number] * ranks))
    input_grad, weight_grad = draw(shared)
    fields = {name: draw(per_stage) for name in ("forward", "recompute", "offload", "reload", "gather", "update")}
    fields |= {name: draw(per_rank) for name in ("embed_forward", "output_forward", "output_grad", "embed_grad")}
    return PassCosts(
        input_grad=input_grad,
        weight_grad=weight_grad,
        pair=draw(st.floats(0.5, 1.0)),
        transfer=draw(st.one_of(number, st.tuples(*[st.tuples(*[number] * ranks)] * ranks))),
        collective=draw(number),
        reduce=draw(number),
        weight_activation=draw(st.floats(0.0, 1.0)),
        **fields,
    )
