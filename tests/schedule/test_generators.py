"""Schedules run as they are written: on real ranks, with the gradients of one process, from the program alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from stretto.schedule.generators.dualpipe import dualpipe
from stretto.schedule.generators.dualpipe_v import dualpipe_v
from stretto.schedule.generators.interleaved_zb import interleaved_zb
from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.zb_h2 import zb_h2
from stretto.schedule.generators.zb_v import zb_v
from stretto.schedule.lower import lower
from stretto.schedule.torch_csv import read_torch_csv
from stretto.schedule.verify import verify
from stretto.spec.lowered import Exchange, Lowered, Receive, Send
from stretto.spec.program import Compute, Pair, State, passes_of
from tests.schedule.executor import execute, reference


def with_reductions(program):
    """The same, each rank reducing a stage's gradients as soon as it has them: other ranks in another order."""
    return replace(program, ranks=tuple(tuple(_reduced(records)) for records in program.ranks))


def _reduced(records):
    done = [[(p.copy, p.stage) for p in passes_of(r) if p.kind in "BW"] for r in records]
    for place, record in enumerate(records):
        yield record
        for copy, stage in done[place]:
            if not any((copy, stage) in later for later in done[place + 1 :]):
                yield State("reduce", stage, copy)


def check(ranks, program, rendezvous=True, lowered=None):
    expected = reference(program)
    answers = ranks.run(len(program.ranks), execute, lowered or with_reductions(program), rendezvous)
    found = [grads for grads, _ in answers]
    assert [strays for _, strays in answers] == [[]] * len(answers)
    assert sorted(chunk for grads in found for chunk in grads) == [
        (copy, stage) for copy in range(program.copies) for stage in range(program.stages)
    ]
    for grads in found:
        for (_, stage), tensors in grads.items():
            for a, b in zip(tensors, expected[stage], strict=True):
                assert (a - b).abs().max() <= 1e-12 * b.abs().max()


@pytest.mark.parametrize(("make", "microbatches"), [(one_f_one_b, 4), (zb_v, 4), (dualpipe, 4)])
def test_two_ranks(ranks, make, microbatches):
    check(ranks, make(2, microbatches))


def test_a_file_of_torch_runs_as_it_is_written(ranks):
    lowered = read_torch_csv(Path(__file__).parents[2] / "benchmarks/data/torch_csv/zb1p_2rank_2stagep_comms.csv")
    check(ranks, lowered.program, lowered=lowered)


def test_messages_in_another_order_are_seen_before_the_run_and_in_it(ranks):
    program = one_f_one_b(2, 2)
    steps = lower(program).ranks
    (a, first), (b, second) = [(i, s) for i, s in enumerate(steps[1]) if isinstance(s, Receive)][:2]
    swapped = list(steps[1])
    swapped[a], swapped[b] = second, first
    lowered = Lowered(program=program, ranks=(steps[0], tuple(swapped)))
    assert verify(lowered).buffered is not None
    (_, none), (_, strays) = ranks.run(2, execute, lowered, True)
    assert none == []
    assert strays == ["(1, 0, 1, 0, 0) instead of (1, 0, 0, 0, 0)", "(1, 0, 0, 0, 0) instead of (1, 0, 1, 0, 0)"]


@pytest.mark.slow
@pytest.mark.parametrize("rendezvous", [True, False])
@pytest.mark.parametrize("make", [one_f_one_b, zb_h2, interleaved_zb, zb_v, dualpipe, dualpipe_v])
def test_four_ranks(ranks, make, rendezvous):
    check(ranks, make(4, 8), rendezvous)


@pytest.mark.parametrize("make", [dualpipe, dualpipe_v])
def test_both_results_of_a_pair_leave_once(make):
    """Neighbours' pairs need both results of one another's, a forward and a backward."""
    program = make(4, 8)
    received = [set() for _ in program.ranks]
    for rank, steps in enumerate(lower(program).ranks):
        made = set()
        for step in steps:
            made.update(passes_of(step) if isinstance(step, Compute | Pair) else ())
            for part in (step.send, step.receive) if isinstance(step, Exchange) else (step,):
                if isinstance(part, Send):
                    made.remove(part.what)
                elif isinstance(part, Receive):
                    assert part.what not in received[rank]
                    received[rank].add(part.what)
    hops = [(row[s], row[s + 1]) for row in program.placement for s in range(program.stages - 1)]
    crossings = sum(a != b for a, b in hops) * program.microbatches // program.copies
    assert sum(map(len, received)) == 2 * crossings


def test_a_lost_weight_gradient_is_seen(ranks):
    program = one_f_one_b(2, 2)
    lost = tuple(r._replace(kind="I") if r == Compute("B", 0, 1) else r for r in program.ranks[0])
    with pytest.raises(AssertionError, match="left over: \\['saved'\\]"):
        check(ranks, replace(program, ranks=(lost, program.ranks[1])))
