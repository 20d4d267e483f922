"""GPipe: all forwards, then all backwards (Huang et al. 2019, section 2).

Every rank holds one stage. The bubble is ``(p - 1)(F + B)``, every rank stores all m microbatches.
"""

from __future__ import annotations

from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program


def gpipe(ranks: int, microbatches: int) -> Program:
    """The program of `ranks` stages; any number of microbatches.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    orders = tuple(
        tuple(Compute(kind, rank, i) for kind in ("F", "B") for i in range(microbatches)) for rank in range(ranks)
    )
    return Program(ranks=orders, stages=ranks, microbatches=microbatches, placement=looped(ranks), kind="gpipe")
