"""The V-shaped family of controllable memory (Qi et al. 2024, Pipeline Parallelism with Controllable Memory).

Two chunks a rank in a V, backwards in halves. A schedule is a building block: per rank the cells of a grid in which
the first microbatch's F0, F1, I1 and I0 start (F0 is the forward of chunk 0, and so on). Every further microbatch
repeats it 6 cells later; no two of the four fall into the same cell modulo 6, and the other two are left to weight
gradients. The longer activations live in the block the more a rank stores: at most the sum over its chunks of
ceil(life / 6). The shorter they live the more tightly ranks depend on each other, and the larger are warm-up and
cool-down.

The order that the block gives is then squeezed under the real times of the passes (`squeezing`), in which warm-up and
cool-down close up and the peak stays within what the schedule allows. A few ways to choose what is done out of turn are
tried, those for equal times too, and the one with the shortest span is kept. Time is about ten microseconds a
record, under given times forty.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Final, TypeAlias

from stretto.schedule.generators.placing import v_map
from stretto.schedule.generators.sizes import check_sizes
from stretto.schedule.generators.squeezing import Squeezed, Step, Times, Ways
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.program import Program

Cells: TypeAlias = tuple[int, int, int, int]
"""The cells in which F0, F1, I1 and I0 of microbatch 0 start."""
Block: TypeAlias = Callable[[int, int], Cells]
"""(ranks, rank) -> its cells."""
INTERVAL: Final = 6
"""Cells from one microbatch to the next: three passes of each of two chunks."""
WAITING: Final = 4
"""How many weight gradients of chunks may wait on a rank: more fill more of the gaps, but each keeps its inputs."""


def v_shape(
    ranks: int,
    microbatches: int,
    block: Block,
    peak: int,
    costs: PassCosts | None = None,
    *,
    kind: str = "v-shape",
    waiting: int = WAITING,
) -> Program:
    """The program of a building block.

    Args:
        ranks: any number.
        microbatches: any number.
        block: the building block.
        peak: how many microbatches' activations a rank may store; no fewer than the block itself needs.
        costs: the times of the passes, by default all equal.
        kind: the name of the program.
        waiting: how many weight gradients of chunks may wait on a rank while it has something else to do.

    Raises:
        UserError: a size is below 1, or the costs are for other sizes.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    orders = [_order(block(ranks, rank), microbatches) for rank in range(ranks)]

    def squeezed(ways: Ways, times: Times) -> Squeezed:
        return Squeezed(orders, microbatches, 2 * peak, times, ways)

    def program(found: Squeezed) -> Program:
        return Program(
            ranks=tuple(tuple(found.records(rank)) for rank in range(ranks)),
            stages=2 * ranks,
            microbatches=microbatches,
            placement=v_map(ranks),
            kind=kind,
        )

    blind = [squeezed(Ways(waiting, first), Times(ranks, PassCosts())) for first in (True, False)]
    if costs is None:
        return program(min(blind, key=lambda found: found.span))
    ways = [Ways(waiting, first, patient) for first, patient in product((True, False), repeat=2)]
    fitted = [squeezed(way, Times(ranks, costs)) for way in ways]
    return min(map(program, fitted + blind), key=lambda found: max(timing(found, costs).spans))


def v_zb(ranks: int, microbatches: int, costs: PassCosts | None = None) -> Program:
    """V-ZB: the longest lives, so p microbatches on p ranks, and no bubble within a span where passes take equal time.

    For that up to 2p weight gradients of chunks wait on a rank.

    Raises:
        UserError: a size is below 1, or the costs are for other sizes.
    """
    return v_shape(ranks, microbatches, _v_zb_block, ranks, costs, kind="v-zb", waiting=2 * ranks)


def _v_zb_block(ranks: int, rank: int) -> Cells:
    turn = 6 * ranks - 5
    return 4 * rank, turn - 2 * rank, turn + 1 + 4 * rank, 12 * ranks - 9 - 2 * rank


def _order(cells: Cells, microbatches: int) -> list[Step]:
    keyed = sorted((cell + INTERVAL * i, kind, i) for kind, cell in enumerate(cells) for i in range(microbatches))
    return [(kind, i) for _, kind, i in keyed]
