"""Optimizers over a stage's flat buffers: torch's AdamW and Muon, with state that has names.

Muon takes the matrices inside layers; the embedding, the head and the norm scales go to AdamW, as its authors advise.
Scales are never decayed. State is kept in the precision of the flat buffers and is saved and loaded by parameter name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from stretto.spec.run.optimizer import AdamW, Muon, Optimizer
from stretto.train.stages import Stage

_KEYS = {torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"}, torch.optim.Muon: {"momentum_buffer"}}


class StageOptimizer:
    """Updates the parameters of one stage."""

    def __init__(self, config: Optimizer, stage: Stage) -> None:
        self._names = {weight: name for name, weight in stage.weights.items()}
        for name, weight in stage.weights.items():
            weight.grad = stage.grads[name]
        self._parts = list(_parts(config, stage.weights))
        self._rates = [[group["lr"] for group in part.param_groups] for part in self._parts]

    def step(self, factor: float) -> None:
        """Update once with every peak learning rate multiplied by `factor`."""
        for part, rates in zip(self._parts, self._rates, strict=True):
            for group, rate in zip(part.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            part.step()

    def state(self) -> dict[str, Tensor]:
        """The optimizer's tensors as ``NAME/KEY``; empty before the first step."""
        return {
            f"{self._names[weight]}/{key}": value
            for part in self._parts
            for weight, values in part.state.items()
            for key, value in values.items()
        }

    def foreign(self, state: Mapping[str, Tensor]) -> str | None:
        """The first name that `state` has and this optimizer does not keep, or the other way round; None if all fit."""
        kept = {
            self._names[w]: _KEYS[type(part)] for part in self._parts for g in part.param_groups for w in g["params"]
        }
        expected = {f"{name}/{key}" for name, keys in kept.items() for key in keys}
        found = {name for name in state if name.rpartition("/")[0] in kept}
        return min(expected ^ found, default=None)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` of an equal optimizer returned; names of other stages are left alone."""
        for part in self._parts:
            for weight in (w for group in part.param_groups for w in group["params"]):
                prefix = self._names[weight] + "/"
                mine = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
                if mine:
                    part.state[weight] = mine


def _parts(config: Optimizer, weights: Mapping[str, Tensor]) -> Iterator[torch.optim.Optimizer]:
    if isinstance(config, AdamW):
        yield _adamw(config, weights)
        return
    matrices = {name: w for name, w in weights.items() if name.startswith("layers.") and w.dim() == 2}
    rest = {name: w for name, w in weights.items() if name not in matrices}
    if matrices:
        yield _muon(config, matrices)
    if rest:
        yield _adamw(config.adamw, rest)


def _muon(config: Muon, weights: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Muon(
        list(weights.values()), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )


def _adamw(config: AdamW, weights: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": [w for w in weights.values() if w.dim() == 2], "weight_decay": config.weight_decay},
        {"params": [w for w in weights.values() if w.dim() != 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=config.lr, betas=config.betas, eps=config.eps, fused=True
    )
