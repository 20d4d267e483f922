"""Stages: the model in contiguous parts, each with flat buffers of what the optimizer keeps and what it reads.

A stage's parameters live in one flat buffer in the optimizer's precision, its gradients in another; both are summed
and clipped as one tensor. In float32 and float64 the modules' parameters and gradients are views of them. In bfloat16
the modules hold copies (made by the ``gather`` record), and every microbatch's gradient is added to the float32 buffer
as soon as it is complete, so that nothing is accumulated in 8 bits of mantissa.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stretto.layout.stages import stage_layers
from stretto.models.build import build, initialize
from stretto.models.decoder import Decoder
from stretto.models.precisions import PRECISIONS
from stretto.spec.shape import ModelShape


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the model on this rank.

    Attributes:
        part: the modules.
        weights: every parameter that this stage owns, by name: views of `flat_weights`.
        grads: their gradients: views of `flat_grads`.
        flat_weights: what the optimizer keeps, float32 or float64.
        flat_grads: the same length and dtype.
        shared: parameters that the part uses and another stage owns (a tied head).
    """

    part: Decoder
    weights: Mapping[str, Tensor]
    grads: Mapping[str, Tensor]
    flat_weights: Tensor
    flat_grads: Tensor
    shared: Mapping[str, Tensor]

    @property
    def copies(self) -> bool:
        """Whether the modules hold copies in another precision."""
        return next(iter(self.part.parameters())).dtype != self.flat_weights.dtype


def build_stages(shape: ModelShape, stages: int, precision: str, device: torch.device, seed: int) -> list[Stage]:
    """Build the whole model as `stages` parts on one device, with the initial weights of `seed`.

    Raises:
        UserError: there are more stages than layers.
    """
    cuts = stage_layers(shape, stages)
    parts = [
        build(shape, layers=cut, embed=i == 0, head=i == stages - 1, device=device, dtype=PRECISIONS[precision])
        for i, cut in enumerate(cuts)
    ]
    if shape.tied and stages > 1:
        parts[-1].embed = parts[0].embed
    built: list[Stage] = []
    taken: dict[str, Tensor] = {}
    for part in parts:
        built.append(_stage(part, shape, seed, taken))
        taken |= built[-1].grads
    return built


def named_weights(stages: list[Stage]) -> dict[str, Tensor]:
    """Every parameter in the optimizer's precision, by name, each once."""
    return {name: weight for stage in stages for name, weight in stage.weights.items()}


@torch.no_grad()
def gather(stage: Stage) -> None:
    """Make the parameters that passes read from the ones that the optimizer keeps."""
    if stage.copies:
        own = {n: p for n, p in stage.part.named_parameters() if n in stage.weights}
        torch._foreach_copy_(list(own.values()), [stage.weights[n] for n in own])  # pyright: ignore[reportPrivateImportUsage]


@torch.no_grad()
def collect_gradients(stage: Stage) -> None:
    """Add what the modules' backward pass left behind to the flat gradients, in their precision."""
    if not stage.copies:
        return
    for name, parameter in stage.part.named_parameters():
        if parameter.grad is not None:
            target = stage.grads[name] if name in stage.grads else stage.shared[name]
            target.add_(parameter.grad)
            parameter.grad = None


def _stage(part: Decoder, shape: ModelShape, seed: int, taken: Mapping[str, Tensor]) -> Stage:
    own = {n: p for n, p in part.named_parameters() if n not in taken}
    keep = torch.float64 if next(iter(own.values())).dtype == torch.float64 else torch.float32
    size = sum(p.numel() for p in own.values())
    device = next(iter(own.values())).device
    flat_weights, flat_grads = torch.zeros(2, size, dtype=keep, device=device)
    weights, grads = _views(own, flat_weights), _views(own, flat_grads)
    initialize(weights, shape, seed)
    if not any(p.dtype != keep for p in own.values()):
        for name, parameter in own.items():
            parameter.data = weights[name]
            parameter.grad = grads[name]
    shared = {n: g for n, g in taken.items() if n in dict(part.named_parameters())}
    return Stage(part, weights, grads, flat_weights, flat_grads, shared)


def _views(parameters: Mapping[str, nn.Parameter], flat: Tensor) -> dict[str, Tensor]:
    pieces = flat.split([p.numel() for p in parameters.values()])
    return {n: piece.view(p.shape) for (n, p), piece in zip(parameters.items(), pieces, strict=True)}
