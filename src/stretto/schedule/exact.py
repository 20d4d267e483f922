"""The order with the shortest span, as an integer program (Qi et al. 2023, appendix G), for one stage a rank.

A continuous variable says when each pass starts, a boolean for every pair of passes of different kinds on one rank
which goes first; what is stored when a forward runs is linear in the booleans. All microbatches cost the same, so each
stage takes them in turn without loss. HiGHS solves it (scipy, the extra ``exact``); the number of booleans grows with
the square of the microbatches, so only small sizes are admitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stretto.schedule.greedy import Outcome, Problem
from stretto.spec.errors import StrettoError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSES: Final = 60
"""Larger programs are refused: they may take hours."""
SECONDS: Final = 300.0
_F, _I, _W = 0, 1, 2


def solve(given: Problem, start: Outcome) -> list[list[int]]:
    """Orders (`Outcome.orders`) with the shortest longest span; `start`, a feasible outcome, bounds the times.

    Raises:
        UserError: there are too many passes, a rank holds several stages, or scipy is not installed.
        StrettoError: no proof of optimality was found in time.
    """
    count = 3 * len(given.placement) * given.microbatches
    if count > PASSES:
        raise UserError(f"exact is asked for {count} passes; expected at most {PASSES} (3 x ranks x microbatches).")
    if any(len(held) != 1 for held in given.held):
        raise UserError("exact is asked for several stages a rank; expected one.")
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp  # pyright: ignore
        from scipy.sparse import csr_array  # pyright: ignore
    except ImportError:
        raise UserError("exact needs scipy, which is not installed: pip install 'stretto[exact]'") from None
    model = _Model(given, start)
    columns = model.columns
    shape = (len(model.low), columns)
    matrix: Any = csr_array((model.value, (model.row, model.column)), shape=shape)
    found: Any = milp(
        [0.0] * (columns - 1) + [1.0],
        integrality=[0] * model.passes + [1] * (columns - 1 - model.passes) + [0],
        bounds=Bounds(model.least, model.most),  # pyright: ignore
        constraints=LinearConstraint(matrix, model.low, float("inf")),  # pyright: ignore
        options={"time_limit": SECONDS, "mip_rel_gap": 1e-7},
    )
    if found.status != 0:
        raise StrettoError(f"exact found no proof in {SECONDS:g} seconds: {found.message}")
    return model.orders([float(x) for x in found.x])


class _Model:
    """Rows and columns of the integer program: starts of passes, booleans, and last the longest span."""

    def __init__(self, given: Problem, start: Outcome) -> None:
        self.given, self.count = given, given.microbatches
        self.stages = len(given.placement)
        self.passes = 3 * self.stages * self.count
        self.times = (given.forward, given.input_grad, given.weight_grad)
        self.row: list[int] = []
        self.column: list[int] = []
        self.value: list[float] = []
        self.low: list[float] = []
        self.pairs = {pair: self.passes + k for k, pair in enumerate(self._free_pairs())}
        self.columns = self.passes + len(self.pairs) + 1
        heads = [0.0]
        for s in range(1, self.stages):
            heads.append(heads[-1] + given.forward[s - 1] + given.hop[s])
        self.late = heads[-1] + start.span * 1.001 + 1e-3
        self.least = [0.0] * self.columns
        self.most = [self.late] * self.passes + [1.0] * len(self.pairs) + [start.span * 1.001 + 1e-3]
        for s, head in enumerate(heads):
            first = self.start(_F, s, 0)
            self.least[first] = self.most[first] = head
        for s in range(self.stages):
            self._stage(s)
            self._memory(s)

    def start(self, kind: int, stage: int, microbatch: int) -> int:
        """The column of a pass's start."""
        return (kind * self.stages + stage) * self.count + microbatch

    def _free_pairs(self) -> list[tuple[int, int, int, int, int]]:
        """(stage, kind, microbatch, earlier kind, microbatch): the first pass may go before the second, or after it."""
        kinds = ((_I, _F), (_W, _F), (_W, _I))
        ms = range(self.count)
        return [(s, a, i, b, j) for s in range(self.stages) for a, b in kinds for j in ms for i in range(j)]

    def _add(self, low: float, *terms: tuple[int, float]) -> None:
        """A row: the sum of the terms is at least `low`."""
        for column, value in terms:
            self.row.append(len(self.low))
            self.column.append(column)
            self.value.append(value)
        self.low.append(low)

    def _after(self, later: int, earlier: int, by: float) -> None:
        self._add(by, (later, 1.0), (earlier, -1.0))

    def _stage(self, s: int) -> None:
        given, start, times = self.given, self.start, self.times
        for i in range(self.count):
            if s:
                self._after(start(_F, s, i), start(_F, s - 1, i), times[_F][s - 1] + given.hop[s])
                self._after(start(_I, s - 1, i), start(_I, s, i), times[_I][s] + given.back[s])
            self._after(start(_I, s, i), start(_F, s, i), times[_F][s])
            self._after(start(_W, s, i), start(_I, s, i), times[_I][s])
            for kind in (_F, _I, _W):
                if i:
                    self._after(start(kind, s, i), start(kind, s, i - 1), times[kind][s])
        last = start(_W, s, self.count - 1)
        self._add(times[_W][s], (self.columns - 1, 1.0), (last, -1.0), (start(_F, s, 0), 1.0))
        for (stage, a, i, b, j), y in self.pairs.items():
            if stage != s:
                continue
            one, two = start(a, s, i), start(b, s, j)
            self._add(times[a][s] - self.late, (two, 1.0), (one, -1.0), (y, -self.late))
            self._add(times[b][s], (one, 1.0), (two, -1.0), (y, self.late))
            for near in ((s, a, i - 1, b, j), (s, a, i, b, j + 1)):
                if near in self.pairs:
                    self._add(0.0, (self.pairs[near], 1.0), (y, -1.0))

    def _memory(self, s: int) -> None:
        size, kept, cap = self.given.size[s], self.given.kept[s], self.given.cap[s]
        for j in range(self.count):
            terms = [(self.pairs[s, _I, i, _F, j], size - kept) for i in range(j)]
            terms += [(self.pairs[s, _W, i, _F, j], kept) for i in range(j)]
            self._add((j + 1) * size - cap - 1e-9, *terms)

    def orders(self, x: Sequence[float]) -> list[list[int]]:
        """Per rank the passes by how many go before them."""
        found: list[list[int]] = [[] for _ in range(self.given.ranks)]
        for s, rank in enumerate(self.given.placement):
            before = {(k, i): float(i) for k in (_F, _I, _W) for i in range(self.count)}
            for a, b in ((_F, _I), (_F, _W), (_I, _W)):
                for i in range(self.count):
                    for j in range(self.count):
                        first = 1.0 if i <= j else 1.0 - round(x[self.pairs[s, b, j, a, i]])
                        before[b, j] += first
                        before[a, i] += 1.0 - first
            ranked = sorted(before, key=lambda key: (before[key], key))
            found[rank] = [kind * self.stages + s for kind, _ in ranked]
        return found
