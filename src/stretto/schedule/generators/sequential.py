"""The smallest program: one rank holds all stages and runs whole microbatches, one after the other.

Stages exist on a single rank too, so that a stage's gradients can be reduced while earlier stages still run backward
(the overlap of PyTorch DDP's buckets, Li et al. 2020, section 3.2.3, as records instead of hooks).
"""

from __future__ import annotations

from collections.abc import Iterator

from stretto.spec.program import Compute, Program, Record, State


def sequential(stages: int, microbatches: int) -> Program:
    """The program of one rank; replicas of it sum their gradients in ``reduce``.

    Gradients add up over microbatches and are reduced once, in the last microbatch, each stage as soon as its backward
    pass is done; parameters are updated when all are reduced.
    """
    return Program(
        ranks=(tuple(_rank(stages, microbatches)),),
        stages=stages,
        microbatches=microbatches,
        placement=((0,) * stages,),
        kind="sequential",
    )


def _rank(stages: int, microbatches: int) -> Iterator[Record]:
    yield from (State("gather", stage) for stage in range(stages))
    for microbatch in range(microbatches):
        yield from (Compute("F", stage, microbatch) for stage in range(stages))
        for stage in reversed(range(stages)):
            yield Compute("B", stage, microbatch)
            if microbatch == microbatches - 1:
                yield State("reduce", stage)
    yield from (State("update", stage) for stage in range(stages))
