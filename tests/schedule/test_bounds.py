"""Bounds: no program is faster, whatever its placement, paths, slices, pairs, copies and vocabulary passes."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.bounds import makespan_bound, span_bound
from stretto.schedule.generators.zb_v import zb_v
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute, Pair, Program, Vocabulary

SMALL = st.integers(0, 4)


@st.composite
def programs(draw):
    """A program of passes in an order that is possible, with costs for it."""
    stages, microbatches = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    slices, copies = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    barriers = draw(st.sampled_from([0, 0, 1, 2]))
    forward_only = barriers == 0 and draw(st.booleans()) and draw(st.booleans())
    place = st.tuples(*[st.integers(0, 3)] * stages)
    placement = tuple(draw(place) for _ in range(copies))
    ranks = 1 + max(holder for row in placement for holder in row)
    subsets = st.lists(st.integers(0, stages - 1), min_size=1, unique=True).map(lambda p: tuple(sorted(p)))
    paths = tuple(draw(subsets) for _ in range(microbatches)) if barriers == 0 and draw(st.booleans()) else ()
    jobs = {}
    for microbatch in range(microbatches):
        path = paths[microbatch] if paths else tuple(range(stages))
        copy = draw(st.integers(0, copies - 1))
        split = draw(st.booleans()) or barriers > 0
        for piece in range(slices):
            add_passes(jobs, path, Compute("F", 0, microbatch, piece, copy), split, barriers, placement, forward_only)
    orders = [[] for _ in range(ranks)]
    left = dict(jobs)
    while left:
        ready = [key for key, (_, needs) in left.items() if not any(n in left for n in needs)]
        key = ready[draw(st.integers(0, len(ready) - 1))]
        rank, _ = left.pop(key)
        orders[rank].append(key[1] if isinstance(key, tuple) and isinstance(key[0], int) else key)
    if not barriers and draw(st.booleans()):
        orders = [paired(records) for records in orders]
    program = Program(
        ranks=tuple(map(tuple, orders)),
        stages=stages,
        microbatches=microbatches,
        placement=placement,
        slices=slices,
        paths=paths,
        barriers=barriers,
        forward_only=forward_only,
    )
    return program, draw(costs(stages, ranks))


def add_passes(jobs, path, first, split, barriers, placement, forward_only):
    """Every pass of the slice of the microbatch of `first`: what it is -> (its rank, what it needs)."""
    _, _, microbatch, piece, copy, _ = first
    ranks = 1 + max(holder for row in placement for holder in row)
    vocabulary = {
        kind: [(r, Vocabulary(kind, microbatch, piece, copy)) for r in range(ranks)] if barriers else []
        for kind in "ESTG"
    }
    needs = vocabulary["E"]
    for stage in path:
        if piece:
            needs = [*needs, Compute("F", stage, microbatch, piece - 1, copy)]
        jobs[Compute("F", stage, microbatch, piece, copy)] = placement[copy][stage], needs
        needs = [Compute("F", stage, microbatch, piece, copy)]
    if forward_only:
        return
    jobs.update({found: (found[0], needs) for found in vocabulary["S"]})
    jobs.update({found: (found[0], []) for found in vocabulary["E"]})
    jobs.update({found: (found[0], vocabulary["S"]) for found in vocabulary["T"]})
    needs = [*needs, *(vocabulary["S"] if barriers == 1 else vocabulary["T"])]
    whole = "I" if split else "B"
    for stage in reversed(path):
        jobs[Compute(whole, stage, microbatch, piece, copy)] = placement[copy][stage], needs
        needs = [Compute(whole, stage, microbatch, piece, copy)]
        if split:
            jobs[Compute("W", stage, microbatch, piece, copy)] = placement[copy][stage], needs
    jobs.update({found: (found[0], needs) for found in vocabulary["G"]})


def paired(records):
    """The same with neighbouring forwards and backwards computed together."""
    out = []
    for record in records:
        before = out[-1] if out else None
        if isinstance(before, Compute) and before.kind == "F" and record.kind in "BI" and before[1:3] != record[1:3]:
            out[-1] = Pair(before, record, early_output=bool(record.microbatch % 2))
        else:
            out.append(record)
    return out


def costs(stages, ranks):
    """Small costs, lists or numbers."""
    per_stage = SMALL | st.tuples(*[SMALL] * stages)
    per_rank = SMALL | st.tuples(*[SMALL] * ranks)
    lists = st.tuples(*[SMALL] * stages)
    return st.builds(
        PassCosts,
        forward=per_stage,
        input_grad=lists,
        weight_grad=lists,
        backward=st.none() | lists,
        pair=st.sampled_from([1.0, 0.8, 0.5]),
        transfer=SMALL | st.tuples(*[st.tuples(*[SMALL] * ranks)] * ranks),
        collective=SMALL,
        embed_forward=per_rank,
        output_forward=per_rank,
        output_grad=per_rank,
        embed_grad=per_rank,
    )


@settings(max_examples=150, deadline=None)
@given(programs())
def test_no_program_is_faster(case):
    program, costs = case
    found = timing_or_none(program, costs)
    if found is None:
        return
    assert makespan_bound(program, costs) <= found.makespan + 1e-9
    assert span_bound(program, costs) <= max(found.spans) + 1e-9
    cap = peaks(program, costs)
    assert span_bound(program, costs, cap) <= max(found.spans) + 1e-9
    assert span_bound(program, costs, max(cap)) <= max(found.spans) + 1e-9


def timing_or_none(program, costs):
    """A pair may have closed a cycle."""
    from stretto.schedule.graph import build

    graph = build(program)
    return timing(graph, costs) if graph.acyclic else None


def test_one_microbatch_meets_the_bound():
    costs = PassCosts(forward=2, input_grad=3, weight_grad=1, transfer=0.5)
    lists = tuple(tuple(Compute(kind, stage, 0) for kind in "FIW") for stage in range(4))
    program = Program(ranks=lists, stages=4, microbatches=1, placement=((0, 1, 2, 3),))
    assert abs(makespan_bound(program, costs) - timing(program, costs).makespan) < 1e-9


def test_equal_times_meet_the_bound():
    """ZB-V with equal times has no bubble in any rank's span."""
    program = zb_v(4, 16)
    assert abs(span_bound(program, PassCosts()) - max(timing(program, PassCosts()).spans)) < 1e-9
    assert makespan_bound(program, PassCosts()) > span_bound(program, PassCosts())


def test_a_cap_raises_the_bound():
    costs = PassCosts(forward=1, input_grad=1, weight_grad=0.5, transfer=0.2)
    program = zb_v(8, 24)
    assert span_bound(program, costs, 4) > span_bound(program, costs, 8) >= span_bound(program, costs)


def test_fast():
    program = zb_v(64, 512)
    start = time.perf_counter()
    makespan_bound(program, PassCosts())
    span_bound(program, PassCosts(), 64)
    assert time.perf_counter() - start < 1
