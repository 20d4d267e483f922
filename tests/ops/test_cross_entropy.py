"""Chunked cross-entropy: exact, small in memory, and wide in its sums."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from stretto.ops.cross_entropy import linear_cross_entropy, token_losses


def _inputs(rows, vocabulary, width=6, dtype=torch.float64, ignored=0.2):
    generator = torch.Generator().manual_seed(rows)
    hidden = torch.randn(rows, width, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    labels = torch.randint(vocabulary, (rows,), generator=generator, dtype=torch.int32)
    labels[torch.rand(rows, generator=generator) < ignored] = -1
    return hidden, weight, labels


@pytest.mark.parametrize("chunk", [1, 7, 64, None])
@pytest.mark.parametrize("ignored", [0.0, 0.3, 1.0])
def test_equals_torch(chunk, ignored):
    hidden, weight, labels = _inputs(50, 33, ignored=ignored)
    ours = linear_cross_entropy(hidden, weight, labels, chunk)
    theirs = F.cross_entropy(hidden @ weight.T, labels.long(), ignore_index=-1, reduction="sum")
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    for a, b in zip(
        torch.autograd.grad(ours / 7, (hidden, weight)),
        torch.autograd.grad(theirs / 7, (hidden, weight)),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    rows = token_losses(hidden.detach(), weight.detach(), labels, chunk)
    torch.testing.assert_close(rows.sum(), theirs, rtol=1e-12, atol=1e-12)
    assert (rows[labels == -1] == 0).all()


class _LargestRows(TorchDispatchMode):
    """Records the most rows that any tensor as wide as the vocabulary had."""

    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary, self.rows = vocabulary, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.dim() == 2 and out.shape[1] == self.vocabulary:
            self.rows = max(self.rows, out.shape[0])
        return out


def test_never_more_than_a_chunk_of_logits():
    hidden, weight, labels = _inputs(90, 41)
    with _LargestRows(41) as seen:
        linear_cross_entropy(hidden, weight, labels, 8).backward()
        token_losses(hidden.detach(), weight.detach(), labels, 8)
    assert seen.rows == 8


def test_bfloat16_sums_do_not_lose_small_terms():
    hidden, weight, labels = _inputs(4096, 16, dtype=torch.bfloat16, ignored=0)
    linear_cross_entropy(hidden, weight, labels, 4).backward()
    wide_hidden, wide_weight = (t.detach().double().requires_grad_() for t in (hidden, weight))
    linear_cross_entropy(wide_hidden, wide_weight, labels).backward()
    error = (weight.grad.double() - wide_weight.grad).abs().max() / wide_weight.grad.abs().max()
    assert error < 6e-3  # added up in bfloat16, the 1,024 chunks lose more than ten times as much


def test_only_the_head_needs_a_gradient():
    hidden, weight, labels = _inputs(12, 9)
    linear_cross_entropy(hidden.detach(), weight, labels).backward()
    assert hidden.grad is None
    assert weight.grad.abs().sum() > 0
