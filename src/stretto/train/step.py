"""The training step: a rank's records of a Program, run one after the other.

Contract of scale: the step's loss is the sum of the task's losses over all microbatches of all ranks, divided by the
labelled positions of all microbatches of all ranks; the gradients are the gradient of that. Backward passes take the
gradient of the sum; it is summed over microbatches and ranks and then divided once, in the precision that the optimizer
keeps (1 / positions is no bfloat16 number: dividing earlier would scale some gradients and not others).

Between stages of one rank the activations are cut: the next stage starts from a detached copy of the handle, and its
gradient is handed to the earlier stage's backward pass. Nothing hangs on autograd hooks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor

from stretto.count.flops import causal_pairs, document_lengths
from stretto.models.context import LocalContext
from stretto.models.decoder import LayerCall, call_layer, checkpointed_layer
from stretto.parallel.world import World
from stretto.spec.batch import PackedBatch
from stretto.spec.errors import StrettoError
from stretto.spec.program import Compute, Program, State
from stretto.spec.program_text import write_record
from stretto.train.optimizer import StageOptimizer
from stretto.train.recorder import Recorder
from stretto.train.stages import Stage, collect_gradients, gather
from stretto.train.task import DeviceBatch, Task


class Refused(StrettoError):
    """A step was not taken: its loss or gradient is no number, or the caller refused it; nothing was updated."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did, over all ranks.

    Attributes:
        loss: nats a labelled position, before the update.
        grad_norm: length of the gradient over all parameters, before clipping.
        labelled_tokens: positions that carried loss.
        document_tokens: positions that belonged to a document.
        attended_pairs: pairs of a position and one that it sees.
    """

    loss: float
    grad_norm: float
    labelled_tokens: int
    document_tokens: int
    attended_pairs: int


Accept: TypeAlias = Callable[[StepResult], None]


def accept_any(result: StepResult) -> None:
    """Refuse no step."""


@dataclass(slots=True)
class Step:
    """A rank's machinery for running the records of a step."""

    stages: list[Stage]
    optimizers: list[StageOptimizer]
    world: World
    task: Task
    recorder: Recorder
    clip_norm: float | None = None
    recompute: bool = False
    _inputs: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _outputs: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _slopes: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _reductions: dict[int, tuple[dist.Work | None, float]] = field(default_factory=dict)

    def run(
        self, program: Program, batches: Sequence[PackedBatch], rate_factor: float, accept: Accept = accept_any
    ) -> StepResult:
        """Run this rank's records once.

        Args:
            program: of one rank, which every replica runs; its stages and microbatches are these.
            batches: this rank's microbatches, already prepared by the task.
            rate_factor: multiplies the peak learning rates.
            accept: looks at the step before its update and raises `Refused` if it must not be taken.

        Raises:
            Refused: the loss or the gradient is no number, or `accept` refused; parameters are as before.
        """
        counts = [(b.labelled_tokens, b.document_tokens, causal_pairs(document_lengths(b))) for b in batches]
        device_batches = [on_device(b, self.world.device) for b in batches]
        loss, result = torch.zeros((), dtype=torch.float64, device=self.world.device), None
        for stage in self.stages:
            stage.flat_grads.zero_()
        for record in program.ranks[0]:
            with self.recorder.span(write_record(record)):
                match record:
                    case Compute("F", stage, microbatch):
                        loss += self._forward(stage, microbatch, device_batches[microbatch])
                    case Compute("B", stage, microbatch):
                        self._backward(stage, microbatch)
                    case State("gather", stage):
                        gather(self.stages[stage])
                    case State("reduce", stage):
                        work = self.world.start_sum(self.stages[stage].flat_grads)
                        self._reductions[stage] = work, self.recorder.now_s()
                    case State("update", stage):
                        if result is None:
                            result = self._settle(loss, [sum(n) for n in zip(*counts, strict=True)])
                            accept(result)
                            self._clip(result.grad_norm)
                        self.optimizers[stage].step(rate_factor)
                    case _:
                        raise AssertionError(f"no such record: {record}")
        assert result is not None, "the program updates nothing"
        return result

    def _forward(self, stage: int, microbatch: int, batch: DeviceBatch) -> Tensor | float:
        key = stage, microbatch
        x = batch.tokens if stage == 0 else self._outputs[stage - 1, microbatch].detach().requires_grad_()
        part = self.stages[stage].part
        call: LayerCall = checkpointed_layer if self.recompute else call_layer
        hidden = part(x, batch.positions, LocalContext(batch.offsets), call)
        self._inputs[key] = x
        if stage < len(self.stages) - 1:
            self._outputs[key] = hidden
            return 0.0
        self._outputs[key] = self.task.loss(hidden, part.head_weight, batch)
        return self._outputs[key].detach()

    def _backward(self, stage: int, microbatch: int) -> None:
        key = stage, microbatch
        x, output = self._inputs.pop(key), self._outputs.pop(key)
        output.backward(self._slopes.pop(key, None))
        if stage > 0:
            assert x.grad is not None
            self._slopes[stage - 1, microbatch] = x.grad
        collect_gradients(self.stages[stage])

    def _settle(self, loss: Tensor, counts: Sequence[int]) -> StepResult:
        """Wait for the reductions, divide by the labelled positions, and measure the gradient."""
        for stage, (work, start_s) in self._reductions.items():
            if work is not None:
                work.wait()
            self.recorder.add(f"reduce{stage}", "communication", start_s)
        self._reductions.clear()
        total, *sums = self.world.exchange([float(loss), *counts]).sum(0).tolist()
        labelled, documents, pairs = (int(n) for n in sums)
        grads = [stage.flat_grads.mul_(1 / max(labelled, 1)) for stage in self.stages]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))
        result = StepResult(total / max(labelled, 1), float(norm), labelled, documents, pairs)
        if not (math.isfinite(result.grad_norm) and math.isfinite(total)):
            raise Refused(f"the loss is {result.loss:.4g} and the norm of the gradient is {result.grad_norm:.4g}")
        return result

    def _clip(self, norm: float) -> None:
        if self.clip_norm is not None and norm > self.clip_norm:
            for stage in self.stages:
                stage.flat_grads.mul_(self.clip_norm / norm)


def on_device(batch: PackedBatch, device: torch.device) -> DeviceBatch:
    """Copy a packed batch to a device."""
    tokens, positions, labels = (
        torch.from_numpy(a).to(device, non_blocking=True) for a in (batch.tokens, batch.positions, batch.labels)
    )
    return DeviceBatch(tokens, positions, labels, tuple(batch.offsets.tolist()))
