"""DualPipe: two directions at once, a forward of one beside a backward of the other (DeepSeek-AI 2024, 2412.19437).

Every rank holds a stage of each of two weight sets, which microbatches enter from opposite ends. A rank goes through
eight steps (`eight_steps`) in which forwards and backwards run as pairs, so that the transfers of one hide under the
other; backwards at the edges are split and their weight gradients fill the end.

Bubble (p/2-1)(F&B + B - 3W), where F&B is the time of a pair and B that of a whole backward; every rank stores the
activations of p+1 microbatches, and two stages' weights. Time is linear in the records.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple

from stretto.schedule.generators.placing import mirrored
from stretto.schedule.generators.sizes import check_even, check_sizes
from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Pair, Program, Record


class Lane(NamedTuple):
    """A direction of one rank: the stage and the weight set it runs there, and its first microbatch."""

    stage: int
    copy: int = 0
    first: int = 0


def dualpipe(ranks: int, microbatches: int) -> Program:
    """The DualPipe program; copy 0 takes the first half of the microbatches, copy 1 the second.

    Raises:
        UserError: ranks or microbatches are odd, or there are fewer than two microbatches a rank.
    """
    check_sizes(ranks=ranks, microbatches=microbatches)
    check_even(ranks)
    if microbatches % 2 or microbatches < 2 * ranks:
        raise bad_value("microbatches", microbatches, f"an even number of at least {2 * ranks}, two a rank")
    return Program(
        ranks=tuple(_rank(ranks, microbatches, rank) for rank in range(ranks)),
        stages=ranks,
        microbatches=microbatches,
        placement=mirrored(tuple(range(ranks)), ranks),
        kind="dualpipe",
    )


def _rank(ranks: int, microbatches: int, rank: int) -> tuple[Record, ...]:
    half = microbatches // 2
    lanes = Lane(rank), Lane(ranks - 1 - rank, 1, half)
    depth = rank
    if rank >= ranks // 2:
        lanes, depth = lanes[::-1], ranks - 1 - rank
    return eight_steps(lanes[0], lanes[1], depth=depth, depths=ranks // 2, microbatches=half)


def eight_steps(near: Lane, far: Lane, *, depth: int, depths: int, microbatches: int) -> tuple[Record, ...]:
    """What a rank does that is the `depth`-th of `depths` from where `near`'s microbatches enter.

    Each lane runs `microbatches`; what leaves `near` at the last depth comes back, or goes on in the other direction.
    """
    rank = _Rank()
    outer, inner = depths - 1 - depth, depth + 1
    for _ in range(2 * outer):
        rank.add("F", near)
    for _ in range(inner):
        rank.add("F", near)
        rank.add("F", far)
    for _ in range(outer):
        rank.add("I", far)
        rank.weight()
        rank.add("F", far)
    for step in range(microbatches - 2 * depths + inner):
        if step == 0 and outer == 0:  # nothing to hide here, and apart the output leaves earlier
            rank.add("F", near)
            rank.add("B", far)
        else:
            rank.pair(near, far)
        rank.pair(far, near)
    for _ in range(outer):
        rank.add("B", far)
        rank.pair(far, near)
    for step in range(2 * inner):  # the second half leaves its weight gradients for the end
        rank.add("I" if step >= inner else "B", near if step % 2 else far)
    for _ in range(outer):
        rank.weight()
        rank.add("I", near)
    for _ in range(inner):
        rank.weight()
    return tuple(rank.records)


class _Rank:
    """The records of a rank so far, and which microbatch each pass of each lane comes to next."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.forwards: dict[Lane, int] = {}
        self.backwards: dict[Lane, int] = {}
        self.waiting: deque[Compute] = deque()

    def next(self, kind: Literal["F", "B", "I"], lane: Lane) -> Compute:
        """The next forward or backward of a lane."""
        counts = self.forwards if kind == "F" else self.backwards
        count = counts.get(lane, 0)
        counts[lane] = count + 1
        return Compute(kind, lane.stage, lane.first + count, 0, lane.copy)

    def add(self, kind: Literal["F", "B", "I"], lane: Lane) -> None:
        """Do a pass; an input gradient leaves its weight gradient waiting."""
        done = self.next(kind, lane)
        self.records.append(done)
        if kind == "I":
            self.waiting.append(done._replace(kind="W"))

    def pair(self, forward: Lane, backward: Lane) -> None:
        """Do a forward of one lane with a whole backward of the other."""
        self.records.append(Pair(self.next("F", forward), self.next("B", backward)))

    def weight(self) -> None:
        """Do the weight gradient that has waited longest, if any waits."""
        if self.waiting:
            self.records.append(self.waiting.popleft())
