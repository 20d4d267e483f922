"""[train], [validation], [checkpoint] and [metrics]: the loop. `train` and `checkpoint` obey them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from stretto.spec.value import Value


class Train(Value):
    """How long, how much at a time, and in what arithmetic."""

    steps: int = Field(default=1000, ge=1)
    """Optimizer steps; the run ends after the last."""
    seconds: float | None = Field(default=None, gt=0)
    """Ends the run after this much time (validation and saving included) if it comes before the last step, and lets the
    learning-rate schedule follow the clock; such a run is not repeated bit for bit."""
    rows: int = Field(default=16, ge=1)
    """Rows of one step, over all ranks; a multiple of layout.data."""
    microbatch_rows: int = Field(default=4, ge=1)
    """Rows that go through the model at once on a rank; divides rows / layout.data."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Initial weights."""
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    """Arithmetic of the passes. Under bfloat16 weights, gradients and optimizer state are kept in float32."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Longest gradient, by the norm over all parameters; none to leave gradients as they are."""
    activation_checkpointing: bool = False
    """Keep only the input of every layer and compute the rest again in the backward pass."""
    stages: int | None = Field(default=None, ge=1)
    """Pieces that the model is cut into; a piece's gradients are reduced while earlier pieces run backward. By default
    two, or one where the model has one layer."""
    spike: float = Field(default=3.0, gt=1)
    """Stop when a step's loss is this many times the mean of recent steps (and half a nat above), or is no number."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes the GPU where there is one."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Threads of a rank on the CPU; by default the machine's cores over its local ranks."""


class Validation(Value):
    """Loss on text that is not trained on."""

    path: Path | None = None
    """A folder written by `stretto data build`; none to leave validation out."""
    every: int = Field(default=100, ge=1)
    """Steps between validations."""
    rows: int = Field(default=64, ge=1)
    """Rows of one validation, at most."""


class Checkpoint(Value):
    """What is saved, and when."""

    every: int = Field(default=500, ge=1)
    """Steps between checkpoints; the last step is always saved."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints to keep; older ones are removed once a newer one is complete."""


class Metrics(Value):
    """What is written down about every step, in metrics.jsonl."""

    every: int = Field(default=1, ge=1)
    """Steps between lines."""
    tensorboard: bool = False
    """Also write TensorBoard events (needs the tensorboard extra)."""
    peak_flops: float | None = Field(default=None, gt=0)
    """FLOP/s of all ranks that the share of peak is a share of; by default measured at the start."""
