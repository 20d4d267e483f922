"""Learning-rate schedules as functions of progress: 0 at the first step, 1 when the run ends."""

from __future__ import annotations

import math

from stretto.spec.run.optimizer import WSD, Constant, Cosine, Linear, LrSchedule


def rate_factor(schedule: LrSchedule, progress: float) -> float:
    """What multiplies the peak learning rate at `progress`, which is clamped to [0, 1].

    Every kind grows linearly over its warm-up; what follows is each kind's definition.
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < schedule.warmup:
        return progress / schedule.warmup
    match schedule:
        case Constant():
            return 1.0
        case Linear(warmup=warmup, final=final):
            return _line(progress, warmup, final)
        case Cosine(warmup=warmup, final=final):
            left = (1 - progress) / (1 - warmup) if warmup < 1 else 1.0
            return final + (1 - final) * (1 - math.cos(math.pi * left)) / 2
        case WSD(warmup=warmup, decay=decay, final=final):
            return _line(progress, max(warmup, 1 - decay), final)


def _line(progress: float, start: float, final: float) -> float:
    """1 up to `start`, then straight down to `final` at 1."""
    if progress <= start:
        return 1.0
    return final + (1 - final) * (1 - progress) / (1 - start)
