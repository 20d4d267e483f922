"""Loader: this rank's microbatches of any step, made ahead in the background.

Step s takes rows ``s * rows_per_step`` and following; rank r of n takes those whose place in the step is r modulo n. So
a step trains on the same rows on any number of ranks. There is no state to save: the step's number is enough.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from stretto.spec.batch import PackedBatch, join
from stretto.spec.errors import UserError

STEPS_AHEAD = 2
"""Steps that are made before they are asked for."""


class RowSource(Protocol):
    """What a loader reads, such as `data.rows.Rows`."""

    tokens: int

    @property
    def rows_per_epoch(self) -> int:
        """Rows until documents come again."""
        ...

    def row(self, number: int) -> PackedBatch:
        """Row `number`, from 0, without end."""
        ...


class Loader:
    """Microbatches for one rank. Close it, or use it as a context manager, to end its thread.

    Args:
        rows: what is trained on.
        rows_per_step: rows of one step over all ranks; a multiple of ``ranks * microbatch_rows``.
        microbatch_rows: rows that are joined into one batch.
        rank: this rank, from 0.
        ranks: ranks that share a step.

    Raises:
        UserError: the sizes do not divide, or there are fewer rows in the data than in a step.
    """

    def __init__(self, rows: RowSource, *, rows_per_step: int, microbatch_rows: int, rank: int, ranks: int) -> None:
        if rows_per_step % (ranks * microbatch_rows):
            raise UserError(
                f"{rows_per_step} rows a step do not divide into {ranks} ranks times microbatches of "
                f"{microbatch_rows} rows; expected a multiple of {ranks * microbatch_rows}."
            )
        if rows.rows_per_epoch < rows_per_step:
            raise UserError(
                f"the training data fills {rows.rows_per_epoch} row(s) of {rows.tokens} tokens, and one step takes "
                f"{rows_per_step} over {ranks} rank(s); expected more text, or smaller train.rows or data.tokens."
            )
        self._rows, self._rows_per_step, self._microbatch_rows = rows, rows_per_step, microbatch_rows
        self._rank, self._ranks = rank, ranks
        self._ahead: deque[tuple[int, Future[list[PackedBatch]]]] = deque()
        self._thread = ThreadPoolExecutor(1, "loader")

    def step(self, number: int) -> list[PackedBatch]:
        """The microbatches of step `number`; steps may be asked for in any order, in turn is fastest.

        Raises:
            StrettoError: what went wrong while they were made.
        """
        while self._ahead and self._ahead[0][0] != number:
            self._ahead.popleft()[1].cancel()
        for later in range(number + len(self._ahead), number + 1 + STEPS_AHEAD):
            self._ahead.append((later, self._thread.submit(self._make, later)))
        return self._ahead.popleft()[1].result()

    def close(self) -> None:
        """End the thread; what it made ahead is dropped."""
        self._thread.shutdown(cancel_futures=True)
        self._ahead.clear()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make(self, number: int) -> list[PackedBatch]:
        first = number * self._rows_per_step
        mine = range(first + self._rank, first + self._rows_per_step, self._ranks)
        rows = [self._rows.row(i) for i in mine]
        size = self._microbatch_rows
        return [join(rows[i : i + size]) for i in range(0, len(rows), size)]
