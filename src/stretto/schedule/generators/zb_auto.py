"""ZB-auto: the backward split, the order found for the costs at hand under a cap on memory (Qi et al. 2023, section 3).

One chunk a rank. The heuristic tries some dozens of rules of the greedy scheduler (`schedule.greedy`) and keeps the
order with the shortest longest span of a rank: with p times the memory of a microbatch the bubble is that of ZB-H1 or
less, with 2p nearly none. `exact` solves small sizes to optimality as an integer program (appendix G there).

The heuristic simulates about 150 thousand passes, a third of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from stretto.schedule.generators.sizes import check_sizes
from stretto.schedule.greedy import problem, program_of
from stretto.schedule.variants import evolve, proven
from stretto.spec.costs import PassCosts
from stretto.spec.program import Program

_PASSES: Final = 150_000
_TRIALS: Final = 240


def zb_auto(
    ranks: int,
    microbatches: int,
    costs: PassCosts | None = None,
    memory_cap: float | Sequence[float] | None = None,
    exact: bool = False,
) -> Program:
    """The program with the shortest span that the heuristic, or with `exact` any schedule, has under `costs`.

    Args:
        ranks: as many stages, one a rank.
        microbatches: any number.
        costs: none: F, I and W take one unit each.
        memory_cap: what a rank may store, in microbatches, at least 1; none: twice the ranks.
        exact: prove that no order has a shorter span; for small sizes only.

    Raises:
        UserError: a size is below 1, a cap too small, the costs are for other sizes, or `exact` is asked for too much.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    given = problem(costs or PassCosts(), range(ranks), microbatches, 2.0 * ranks if memory_cap is None else memory_cap)
    count = min(_TRIALS, max(len(proven(1)), _PASSES // (3 * ranks * microbatches)))
    best = min(islice(evolve([given], "span"), count), key=lambda trial: trial[:2])
    orders = best.outcome.orders
    if exact:
        from stretto.schedule.exact import solve

        orders = solve(given, best.outcome)
    return program_of(given, orders, "zb-auto")
