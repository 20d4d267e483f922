"""Where a model is cut into stages: contiguous layers, near-equal work, the embedding first and the head last."""

from __future__ import annotations

from itertools import accumulate

from stretto.spec.errors import bad_value
from stretto.spec.parameters import parameters
from stretto.spec.shape import ModelShape


def stage_layers(shape: ModelShape, stages: int) -> tuple[range, ...]:
    """The layers of every stage.

    A place weighs what its matrices multiply a token by (an embedding is only read, so it weighs nothing; a tied head
    weighs its table); every stage gets at least one layer.

    Raises:
        UserError: there are more stages than layers.
    """
    layers = len(shape.layers)
    if stages > layers:
        raise bad_value("train.stages", stages, f"at most the model's number of layers, {layers}")
    weights = [sum(p.size for p in parameters(shape) if p.place == f"layers.{i}") for i in range(layers)]
    weights[-1] += shape.vocabulary * shape.width
    ends = list(accumulate(weights))
    cuts = [0]
    for stage in range(1, stages):
        target = ends[-1] * stage / stages
        free = range(cuts[-1] + 1, layers - (stages - stage) + 1)
        cuts.append(min(free, key=lambda cut: abs(ends[cut - 1] - target)))
    return tuple(range(a, b) for a, b in zip(cuts, [*cuts[1:], layers], strict=True))
