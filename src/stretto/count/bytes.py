"""Bytes that a model's state takes on one device: weights, gradients, optimizer state, keys and values.

Activations are not here: they depend on the program. Left out are the optimizer's step counters (a few bytes), and
the gradients of one stage in the passes' precision, which exist from its backward pass until they are added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stretto.count.parameters import count_parameters, is_layer_matrix
from stretto.spec.parameters import parameters
from stretto.spec.run.optimizer import AdamW, Muon
from stretto.spec.shape import ModelShape

DTYPE_BYTES: Final[dict[str, int]] = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
_ADAMW_MOMENTS: Final = 2
_MUON_MOMENTS: Final = 1


@dataclass(frozen=True, slots=True)
class TrainingBytes:
    """State of a training run, on a device that holds all of it.

    Attributes:
        weights_bytes: the weights that the optimizer keeps.
        pass_weights_bytes: their copy in the passes' precision, where that is another one.
        gradients_bytes: one gradient for every weight.
        optimizer_bytes: moments.
    """

    weights_bytes: int
    pass_weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.pass_weights_bytes + self.gradients_bytes + self.optimizer_bytes


def kept_dtype(precision: str) -> str:
    """The dtype of weights, gradients and optimizer state when passes run in `precision`."""
    return "float32" if precision in ("bfloat16", "float16") else precision


def weight_bytes(shape: ModelShape, dtype: str) -> int:
    """Bytes of all parameters in `dtype`, such as ``bfloat16``."""
    return count_parameters(shape).total * DTYPE_BYTES[dtype]


def training_bytes(shape: ModelShape, precision: str, optimizer: AdamW | Muon) -> TrainingBytes:
    """State of a training run in `precision` (a value of ``train.precision``) under `optimizer`."""
    kept = weight_bytes(shape, kept_dtype(precision))
    return TrainingBytes(
        weights_bytes=kept,
        pass_weights_bytes=0 if kept_dtype(precision) == precision else weight_bytes(shape, precision),
        gradients_bytes=kept,
        optimizer_bytes=_moments(shape, optimizer) * DTYPE_BYTES[kept_dtype(precision)],
    )


def kv_bytes_per_token(shape: ModelShape, dtype: str) -> int:
    """Bytes of the keys and values that one token leaves in the cache, over all layers."""
    mixers = (layer.mixer for layer in shape.layers)
    return sum(2 * mixer.kv_heads * mixer.head_width for mixer in mixers) * DTYPE_BYTES[dtype]


def _moments(shape: ModelShape, optimizer: AdamW | Muon) -> int:
    """Numbers that an optimizer keeps: two for a parameter under AdamW, one for a matrix under Muon."""
    table = parameters(shape)
    matrices = sum(p.size for p in table if is_layer_matrix(p)) if optimizer.kind == "muon" else 0
    rest = sum(p.size for p in table) - matrices
    return matrices * _MUON_MOMENTS + rest * _ADAMW_MOMENTS
