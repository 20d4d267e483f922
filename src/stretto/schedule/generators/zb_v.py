"""ZB-V: two chunks a rank in a V, the backward split, everything in a fixed order (Qi et al. 2023, section 6).

Rank d of p warms up with 2(p-d)-1 forwards of chunk 0, d pairs (F1, F0) and p-d triples (F1, I1, W1); then repeats
(F0, I0, W0, F1, I1, W1) while forwards last; then d pairs (I0, I1), p-d pairs (I0, W0) and the weight gradients left
over. The order is that of at least 2p-1 microbatches; with fewer, those that are not there are left out.

Where F, I and W take equal time no rank waits between its first and its last pass; the last rank starts p-1 chunk
forwards after the first. Every rank stores the activations of p microbatches, as 1F1B's first rank does; twice the
messages of 1F1B. Time is linear in the records.
"""

from __future__ import annotations

from stretto.schedule.generators.placing import v_map
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.program import Compute, Program


def zb_v(ranks: int, microbatches: int) -> Program:
    """The ZB-V program of any number of ranks and microbatches.

    Raises:
        UserError: a size is below 1.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    return Program(
        ranks=tuple(_rank(ranks, microbatches, rank) for rank in range(ranks)),
        stages=2 * ranks,
        microbatches=microbatches,
        placement=v_map(ranks),
        kind="zb-v",
    )


def _rank(ranks: int, microbatches: int, rank: int) -> tuple[Compute, ...]:
    count = max(microbatches, 2 * ranks - 1)
    down, up = rank, 2 * ranks - 1 - rank
    done = {(kind, stage): 0 for kind in "FIW" for stage in (down, up)}
    records: list[Compute] = []

    def add(stage: int, *kinds: str) -> None:
        for kind in kinds:
            microbatch = done[kind, stage]
            done[kind, stage] = microbatch + 1
            if microbatch < microbatches:
                records.append(Compute(kind, stage, microbatch))  # type: ignore[arg-type]

    for _ in range(2 * (ranks - rank) - 1):
        add(down, "F")
    for _ in range(rank):
        add(up, "F")
        add(down, "F")
    for _ in range(ranks - rank):
        add(up, "F", "I", "W")
    while done["F", up] < count:
        add(down, "F", "I", "W") if done["F", down] < count else add(down, "I", "W")
        add(up, "F", "I", "W")
    for _ in range(rank):
        add(down, "I")
        add(up, "I")
    for _ in range(ranks - rank):
        add(down, "I", "W")
    for stage in (up, down):
        add(stage, *"W" * (done["I", stage] - done["W", stage]))
    return tuple(records)
