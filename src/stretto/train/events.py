"""What a run tells whoever watches it: plain values, on rank 0 only.

A watcher is called with each of them as it happens. The loop neither prints nor draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from stretto.spec.shape import ModelShape


@dataclass(frozen=True, slots=True)
class Started:
    """The run is about to take its first step.

    Attributes:
        folder: where it writes.
        shape: of the model.
        parameters: how many the model has.
        ranks: how many work on it.
        threads: CPU threads of each.
        device: what they run on.
        precision: of the passes.
        step: steps already done (a resumed run's are not 0).
        steps: the last step.
        seconds: the limit on training time, if there is one.
        peak_flops: FLOP/s of all ranks that the share of peak is a share of.
        peak_measured: whether it was measured just now, not given by the run file.
        convention: how FLOPs are counted.
    """

    folder: Path
    shape: ModelShape
    parameters: int
    ranks: int
    threads: int
    device: str
    precision: str
    step: int
    steps: int
    seconds: float | None
    peak_flops: float
    peak_measured: bool
    convention: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """One optimizer step is done; rates are over the steps since the last such event.

    Attributes:
        step: how many are done.
        progress: share of the run that is done, 0 to 1.
        loss: nats a labelled token, before the update.
        lr_factor: what multiplied the peak learning rates.
        grad_norm: before clipping.
        tokens: document tokens trained on since the run began.
        elapsed_s: time since the run's first step began, validation and saving included.
        tokens_per_s: document tokens a second.
        peak_share: model FLOP/s over the measured peak.
        left_s: time left at this pace.
    """

    step: int
    progress: float
    loss: float
    lr_factor: float
    grad_norm: float
    tokens: int
    elapsed_s: float
    tokens_per_s: float
    peak_share: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Validated:
    """Measures on text that is not trained on, each the mean over labelled tokens; ``loss`` is in nats."""

    step: int
    measures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint is complete."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over, however it ended; nothing follows."""


Event: TypeAlias = Started | Stepped | Validated | Saved | Ended
Watch: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The watcher of nobody."""
