"""Display: a run as it happens, on standard error: a live line on a terminal, a line now and then elsewhere.

A display travels to rank 0's process and draws there, so it holds nothing but what it was told until the run starts.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from stretto.train.events import Ended, Event, Saved, Started, Stepped, Validated

_LINE_EVERY_S = 10.0
_SMOOTHING = 0.1


class Display:
    """Shows the events of a run; `quiet` shows none of them."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._said_s = -math.inf
        self._rates: tuple[float, float] | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self.quiet:
            return
        match event:
            case Started():
                self._start(event)
            case Stepped():
                self._step(event)
            case Validated(step, measures):
                shown = ", ".join(f"{name} {value:.4f}" for name, value in measures.items())
                self._line(f"step {step}: validation {shown}")
            case Saved(step, path):
                self._line(f"step {step}: saved {path}")
            case Ended():
                self._stop()

    def _start(self, run: Started) -> None:
        limit = f"{run.steps:,} steps" + (f", {run.seconds:.0f} s at most" if run.seconds else "")
        self._line(
            f"{run.parameters / 1e6:.2f} M parameters, {run.precision} on {run.ranks} x {run.device}"
            + (f" ({run.threads} thread(s) each)" if run.device == "cpu" else "")
            + f"; {limit}"
        )
        how = "measured" if run.peak_measured else "given"
        self._line(f"{how} matmul peak {run.peak_flops / 1e9:,.0f} GFLOP/s; shares of it count {run.convention}")
        if sys.stderr.isatty():
            self._draw()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (BarColumn(bar_width=24), TaskProgressColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=Console(stderr=True), transient=False)
        self._task = self._bar.add_task("starting", total=1.0)
        self._bar.start()

    def _step(self, event: Stepped) -> None:
        tokens_per_s, peak_share = self._smoothed(event)
        text = (
            f"step {event.step:,}  loss {event.loss:.3f}  {tokens_per_s:,.0f} tokens/s  "
            f"{peak_share:.0%} of peak  {_clock(event.left_s)} left"
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=min(event.progress, 1.0), description=text)
        elif time.monotonic() - self._said_s >= _LINE_EVERY_S or event.progress >= 1.0:
            self._said_s = time.monotonic()
            self._line(f"{event.progress:4.0%}  {text}")

    def _smoothed(self, event: Stepped) -> tuple[float, float]:
        """Tokens/s and share of peak, each moving a tenth of the way to the step's own: single steps jump about."""
        new = event.tokens_per_s, event.peak_share
        old = self._rates or new
        self._rates = old[0] + _SMOOTHING * (new[0] - old[0]), old[1] + _SMOOTHING * (new[1] - old[1])
        return self._rates

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            print(text, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
