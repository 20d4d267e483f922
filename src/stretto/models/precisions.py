"""The arithmetics that Stretto computes in: the names of run files and flags, and torch's dtypes."""

from __future__ import annotations

from typing import Final

import torch

PRECISIONS: Final[dict[str, torch.dtype]] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float64": torch.float64,
}
"""Precision -> dtype. The names are those of `spec.run.train.Train.precision`."""
