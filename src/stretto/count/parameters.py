"""How many parameters a shape has, and where: sums over the one table, `spec.parameters.parameters`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from stretto.spec.parameters import Parameter, parameters
from stretto.spec.shape import ModelShape


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """The numbers of parameters of a shape.

    Attributes:
        total: all of them; a tied head counts once, as embedding.
        embedding: the table of the input embedding, which costs memory but no multiplication.
        by_place: ``embed``, ``layers.0``, ..., ``norm``, ``head`` -> parameters there.
        by_axes: logical axes, such as ``heads x embed`` -> parameters with these axes.
    """

    total: int
    embedding: int
    by_place: Mapping[str, int]
    by_axes: Mapping[str, int]

    @property
    def without_embedding(self) -> int:
        """The parameters that are not in the embedding table."""
        return self.total - self.embedding


def count_parameters(shape: ModelShape) -> ParameterCount:
    """Count the parameters of `shape`."""
    places: Counter[str] = Counter()
    axes: Counter[str] = Counter()
    for parameter in parameters(shape):
        places[parameter.place] += parameter.size
        axes[" x ".join(parameter.axes)] += parameter.size
    return ParameterCount(places.total(), places["embed"], dict(places), dict(axes))


def is_layer_matrix(parameter: Parameter) -> bool:
    """Whether a parameter is a matrix that a layer multiplies by."""
    return parameter.place.startswith("layers.") and len(parameter.shape) > 1
