"""Programs and their runs in virtual time, small enough to be drawn and counted."""

from stretto.simulate.programs import simulate
from stretto.spec.costs import PassCosts
from stretto.spec.program import Compute, Pair, Program

COSTS = PassCosts(forward=1.0, input_grad=1.0, weight_grad=1.0, transfer=0.25, weight_activation=0.5)


def one_forward_one_backward(ranks, microbatches, split=False):
    """1F1B, its backward whole or in two halves."""
    return Program(
        ranks=tuple(tuple(_rank(ranks, rank, microbatches, split)) for rank in range(ranks)),
        stages=ranks,
        microbatches=microbatches,
        placement=(tuple(range(ranks)),),
        kind="1f1b",
    )


def _rank(ranks, rank, microbatches, split):
    warm = min(ranks - rank - 1, microbatches)
    yield from (Compute("F", rank, i) for i in range(warm))
    for i in range(microbatches):
        if i + warm < microbatches:
            yield Compute("F", rank, i + warm)
        yield from (Compute(kind, rank, i) for kind in ("IW" if split else "B"))


def chunked(ranks, microbatches, chunks):
    """GPipe over several chunks a rank."""
    stages = ranks * chunks
    records = []
    for rank in range(ranks):
        held = range(rank, stages, ranks)
        forward = [Compute("F", stage, i) for stage in held for i in range(microbatches)]
        backward = [Compute("B", stage, i) for stage in reversed(held) for i in range(microbatches)]
        records.append((*forward, *backward))
    placement = (tuple(stage % ranks for stage in range(stages)),)
    return Program(ranks=tuple(records), stages=stages, microbatches=microbatches, placement=placement, kind="chunked")


def paired(microbatches):
    """One rank that overlaps each forward with the backward before it."""
    middle = [Pair(Compute("F", 0, i + 1), Compute("B", 0, i)) for i in range(microbatches - 1)]
    records = (Compute("F", 0, 0), *middle, Compute("B", 0, microbatches - 1))
    return Program(ranks=(records,), stages=1, microbatches=microbatches, placement=((0,),), kind="paired")


def simulated(program, costs=COSTS):
    """The program's run in virtual time."""
    return simulate(program, costs)
