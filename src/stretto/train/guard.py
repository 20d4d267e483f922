"""Guard: a step whose loss leaps or is no number is not taken, and the run stops with its last good state."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from stretto.train.step import Refused, StepResult

WINDOW = 32
_FEWEST = 8
_LEAP_NATS = 0.5


class Guard:
    """Looks at a step before its update.

    Attributes:
        recent: losses of the last steps, oldest first, at most `WINDOW`.
    """

    def __init__(self, spike: float, recent: Sequence[float] = ()) -> None:
        self.recent = deque(recent, WINDOW)
        self._spike = spike

    def check(self, result: StepResult) -> None:
        """Accept a step, or refuse it.

        Raises:
            Refused: the loss is more than `spike` times the mean of the recent ones (at least 8 of them), and by more
                than half a nat: small losses leap without meaning anything.
        """
        if len(self.recent) >= _FEWEST:
            mean = sum(self.recent) / len(self.recent)
            if result.loss > max(self._spike * mean, mean + _LEAP_NATS):
                raise Refused(f"the loss is {result.loss:.4g}, {result.loss / mean:.1f} times the recent {mean:.4g}")
        self.recent.append(result.loss)
