"""The loop of one rank: batches in, steps taken, measures and checkpoints out, until the run is over.

    every step   ranks exchange (signal, clock) -> rate from progress -> microbatches -> Step.run
    now and then validate, save; at the end both
    on a signal  the step in flight ends, all ranks save together, `Interrupted` says how to go on
    on a spike   nothing is updated; the error names the last good checkpoint

All ranks see the same numbers, so they take the same decisions without asking anybody.
"""

from __future__ import annotations

import hashlib
import math
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from stretto.checkpoint.folders import latest
from stretto.count.flops import Rates, counted_flops
from stretto.data.loader import Loader
from stretto.parallel.launch import Interrupted
from stretto.parallel.world import World
from stretto.schedule.generators.sequential import sequential
from stretto.spec.batch import PackedBatch
from stretto.spec.errors import StrettoError
from stretto.spec.manifest import Progress
from stretto.spec.program import Program
from stretto.spec.run.config import RunConfig
from stretto.spec.shape import ModelShape
from stretto.train.events import Saved, Stepped, Validated, Watch
from stretto.train.guard import Guard
from stretto.train.lr_schedule import rate_factor
from stretto.train.run_folder import MetricsLog
from stretto.train.saving import save
from stretto.train.step import Refused, Step, StepResult
from stretto.train.stopping import StopRequest
from stretto.train.task import Task
from stretto.train.validation import validate

PROFILED_STEPS = range(1, 4)
"""Steps that are recorded where a profile is asked for, counted from the run's first: the one before warms up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run reached.

    Attributes:
        folder: where it wrote.
        checkpoint: its last one.
        step: optimizer steps done.
        tokens: document tokens trained on.
        elapsed_s: time since the run's first step began, validation and saving included.
        loss: of the last step, in nats a labelled token; None if a resumed run had nothing left to do.
        measures: of the last validation; empty without validation.
    """

    folder: Path
    checkpoint: Path
    step: int
    tokens: int
    elapsed_s: float
    loss: float | None
    measures: dict[str, float]


@dataclass(slots=True)
class _Pace:
    """What the steps since the last report took, over all ranks."""

    seconds: float = 0.0
    tokens: int = 0
    flops: float = 0.0


@dataclass(slots=True)
class Loop:
    """A run in motion on one rank; `train.opening.open_loop` puts one together."""

    config: RunConfig
    shape: ModelShape
    cost: Rates
    task: Task
    world: World
    step: Step
    loader: Loader
    validation: list[PackedBatch]
    guard: Guard
    log: MetricsLog | None
    watch: Watch
    stop: StopRequest
    peak_flops: float
    progress: Progress
    profile: bool
    tokenizer_files: Mapping[str, bytes]
    saved: tuple[int, Path] | None = None
    _pace: _Pace = field(default_factory=_Pace)
    _began_s: float = 0.0
    _measured: tuple[int, dict[str, float]] = (-1, {})

    def run(self) -> Outcome:
        """Take steps until the run is over."""
        program = sequential(stage_count(self.config), self.config.microbatches)
        first, result = self.progress.step, None
        self._began_s = time.perf_counter() - self.progress.elapsed_s
        while True:
            signals = self._agree()
            if signals.any():
                self._interrupt(int(signals.max()))
            if self._share() >= 1.0:
                break
            self.step.recorder.on = self.profile and self.progress.step - first in PROFILED_STEPS
            result = self._take(program)
            self._now_and_then()
        return self._finish(result)

    def _agree(self) -> Tensor:
        """Take over rank 0's clock, and return the signals that the ranks were sent."""
        signals, clocks = self.world.exchange([self.stop.signal, self._now_s()]).unbind(1)
        self.progress = self.progress.model_copy(update={"elapsed_s": float(clocks[0])})
        return signals

    def _now_s(self) -> float:
        return time.perf_counter() - self._began_s

    def _share(self, ahead: float = 0.0) -> float:
        """How much of the run is done `ahead` steps from now, by steps and, where it is limited, by the clock."""
        train, progress = self.config.train, self.progress
        by_clock = progress.elapsed_s / train.seconds if train.seconds else 0.0
        return max((progress.step + ahead) / train.steps, by_clock)

    def _take(self, program: Program) -> StepResult:
        number, start_s = self.progress.step, time.perf_counter()
        torch.manual_seed(_key(self.config.train.seed, number, self.world.rank))
        # The rate at the middle of the step: at its ends the first or the last step would have none.
        factor = rate_factor(self.config.lr_schedule, self._share(ahead=0.5))
        try:
            result = self.step.run(program, self.loader.step(number), factor, self.guard.check)
        except Refused as refusal:
            raise StrettoError(f"step {number + 1} was not taken: {refusal}. {self._way_back()}") from None
        self._pace.seconds += time.perf_counter() - start_s
        self._pace.tokens += result.document_tokens
        counts = result.document_tokens, result.attended_pairs, result.labelled_tokens
        self._pace.flops += counted_flops(self.cost, *counts).model
        update = {
            "step": number + 1,
            "tokens": self.progress.tokens + result.document_tokens,
            "recent_losses": tuple(self.guard.recent),
        }
        self.progress = self.progress.model_copy(update=update)
        if self.progress.step % self.config.metrics.every == 0:
            self._report(result, factor)
        return result

    def _report(self, result: StepResult, factor: float) -> None:
        pace, progress, share, now_s = self._pace, self.progress, self._share(), self._now_s()
        self._pace = _Pace()
        event = Stepped(
            step=progress.step,
            progress=share,
            loss=result.loss,
            lr_factor=factor,
            grad_norm=result.grad_norm,
            tokens=progress.tokens,
            elapsed_s=now_s,
            tokens_per_s=pace.tokens / pace.seconds,
            peak_share=pace.flops / pace.seconds / self.peak_flops,
            left_s=self._left_s(now_s, share),
        )
        self.watch(event)
        if self.log is not None:
            self.log.write(
                {
                    "step": event.step,
                    "tokens": event.tokens,
                    "elapsed_s": round(event.elapsed_s, 3),
                    "loss": event.loss,
                    "lr": self.config.optimizer.lr * factor,
                    "grad_norm": event.grad_norm,
                    "tokens_per_s": round(event.tokens_per_s, 1),
                    "peak_share": round(event.peak_share, 4),
                }
            )

    def _left_s(self, now_s: float, share: float) -> float:
        """Time left at this pace, or until the clock ends the run."""
        left_s = now_s * (1 - share) / share if share else math.inf
        limit_s = self.config.train.seconds
        return left_s if limit_s is None else max(0.0, min(left_s, limit_s - now_s))

    def _now_and_then(self) -> None:
        if self.validation and self.progress.step % self.config.validation.every == 0:
            self._validate()
        if self.progress.step % self.config.checkpoint.every == 0:
            self._save()

    def _validate(self) -> None:
        measures = validate(self.step.stages, self.task, self.validation, self.world)
        self._measured = self.progress.step, measures
        self.watch(Validated(self.progress.step, measures))
        if self.log is not None:
            named = {f"validation_{name}": value for name, value in measures.items()}
            kept = {"step": self.progress.step, "tokens": self.progress.tokens, "elapsed_s": round(self._now_s(), 3)}
            self.log.write(kept | named)

    def _save(self) -> Path:
        if self.saved is not None and self.saved[0] == self.progress.step:
            return self.saved[1]
        path = save(self.config, self.shape, self.progress, self.step, self.world, self.tokenizer_files)
        self.saved = self.progress.step, path
        self.watch(Saved(self.progress.step, path))
        return path

    def _interrupt(self, number: int) -> None:
        name, step = signal.Signals(number).name, self.progress.step
        path = self._save()
        raise Interrupted(f"stopped by {name} after step {step} and saved {path}; go on with --resume latest.", number)

    def _way_back(self) -> str:
        found = latest(self.config.folder)
        if found is None:
            return "There is no checkpoint yet; start again with a lower learning rate."
        return f"The last good checkpoint is {found}; go on from it with --resume latest and a lower learning rate."

    def _finish(self, result: StepResult | None) -> Outcome:
        if self.validation and self._measured[0] != self.progress.step:
            self._validate()
        progress, path = self.progress, self._save()
        loss = None if result is None else result.loss
        return Outcome(
            self.config.folder, path, progress.step, progress.tokens, progress.elapsed_s, loss, self._measured[1]
        )


def stage_count(config: RunConfig) -> int:
    """Stages of the run's model: as asked for, else two where it has two layers."""
    return config.train.stages or min(2, config.model.layers)


def _key(seed: int, step: int, rank: int) -> int:
    """The seed of torch's own generator in one step of one rank, for tasks that draw random numbers."""
    return int.from_bytes(hashlib.sha256(f"step/{seed}/{step}/{rank}".encode()).digest()[:8], "little") >> 1
