"""DualPipeV: DualPipe folded at its middle, one weight set in a V (Sea AI Lab 2025; in DeepSeek's DualPipe repository).

The two lanes of a rank are its two chunks: what goes down the ranks comes back up, so half the weights of DualPipe do
on half its ranks. The eight steps are DualPipe's (`dualpipe.eight_steps`) for a rank at depth d of p.

Bubble that of a DualPipe of 2p stages, (p-1)(F&B + B - 3W) in chunk passes; every rank stores the activations of p+1/2
microbatches. Time is linear in the records.
"""

from __future__ import annotations

from stretto.schedule.generators.dualpipe import Lane, eight_steps
from stretto.schedule.generators.placing import v_map
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.errors import bad_value
from stretto.spec.program import Program, Record


def dualpipe_v(ranks: int, microbatches: int) -> Program:
    """The DualPipeV program.

    Raises:
        UserError: there are fewer than two microbatches a rank.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    if microbatches < 2 * ranks:
        raise bad_value("microbatches", microbatches, f"at least {2 * ranks}, two a rank")
    return Program(
        ranks=tuple(_rank(ranks, microbatches, rank) for rank in range(ranks)),
        stages=2 * ranks,
        microbatches=microbatches,
        placement=v_map(ranks),
        kind="dualpipe-v",
    )


def _rank(ranks: int, microbatches: int, rank: int) -> tuple[Record, ...]:
    down, up = Lane(rank), Lane(2 * ranks - 1 - rank)
    return eight_steps(down, up, depth=rank, depths=ranks, microbatches=microbatches)
