"""Cross-entropy from hidden states, a chunk of rows at a time: exact, and never more than a chunk of [T, V].

Logits are recomputed nowhere: the forward pass of a chunk leaves the gradients of its hidden states and adds to the
gradient of the head, so that a chunk's logits can be dropped at once (the idea of Liger's fused linear
cross-entropy, Hsu et al. 2024). Softmax and sums are in float32, or in float64 for float64 input; the head's gradient
is added up in the same.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

NO_LABEL = -1
DEFAULT_CHUNK_ELEMENTS = 1 << 22


def linear_cross_entropy(
    hidden: Float[Tensor, "T C"],
    weight: Float[Tensor, "V C"],
    labels: Int[Tensor, " T"],
    chunk_tokens: int | None = None,
) -> Float[Tensor, ""]:
    """The sum over labelled rows of ``-log softmax(hidden @ weight.T)[label]``, differentiable.

    Args:
        hidden: last hidden states.
        weight: the output head.
        labels: the token to predict in each row; rows labelled `NO_LABEL` are left out.
        chunk_tokens: rows whose logits exist at once; by default what keeps them near 4 million elements.

    Returns:
        The sum in nats, float32 (float64 for float64 input); zero if no row has a label.
    """
    return _LinearCrossEntropy.apply(hidden, weight, labels, chunk_tokens or default_chunk(weight))  # pyright: ignore[reportReturnType]


@torch.no_grad()
def token_losses(
    hidden: Float[Tensor, "T C"],
    weight: Float[Tensor, "V C"],
    labels: Int[Tensor, " T"],
    chunk_tokens: int | None = None,
) -> Float[Tensor, " T"]:
    """The loss of every row in nats, zero where there is no label; not differentiable."""
    losses = hidden.new_zeros(hidden.shape[0], dtype=_wide(hidden))
    for rows in _labelled(labels).split(chunk_tokens or default_chunk(weight)):
        logits = (hidden[rows] @ weight.T).to(losses.dtype)
        picked = logits.gather(1, labels[rows].long()[:, None]).squeeze(1)
        losses[rows] = logits.logsumexp(1) - picked
    return losses


def default_chunk(weight: Float[Tensor, "V C"]) -> int:
    """Rows a chunk so that its logits are near 4 million elements."""
    return max(1, DEFAULT_CHUNK_ELEMENTS // weight.shape[0])


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk_tokens: int) -> Tensor:
        wide = _wide(hidden)
        needs = ctx.needs_input_grad
        grad_hidden = torch.zeros_like(hidden) if needs[0] else None
        grad_weight = torch.zeros_like(weight, dtype=wide) if needs[1] else None
        losses = [torch.zeros((), dtype=wide, device=hidden.device)]
        rows = _labelled(labels)
        for chunk in rows.split(chunk_tokens):
            part, target = hidden[chunk], labels[chunk].long()[:, None]
            logits = (part @ weight.T).to(wide)
            normaliser = logits.logsumexp(1, keepdim=True)
            losses.append((normaliser - logits.gather(1, target)).sum())
            slope = logits.sub_(normaliser).exp_()
            slope.scatter_add_(1, target, torch.full_like(target, -1, dtype=wide))
            slope = slope.to(hidden.dtype)
            if grad_hidden is not None:
                grad_hidden[chunk] = slope @ weight
            if grad_weight is not None:
                grad_weight += slope.T @ part
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype = weight.dtype
        return torch.stack(losses).sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight = ctx.saved_tensors
        (grad,) = grads
        if grad_hidden is not None:
            grad_hidden = (grad_hidden.to(_wide(grad_hidden)) * grad).to(grad_hidden.dtype)
        if grad_weight is not None:
            grad_weight = (grad_weight * grad).to(ctx.weight_dtype)
        return grad_hidden, grad_weight, None, None


def _labelled(labels: Tensor) -> Tensor:
    return (labels != NO_LABEL).nonzero().squeeze(1)


def _wide(hidden: Tensor) -> torch.dtype:
    return torch.float64 if hidden.dtype == torch.float64 else torch.float32
