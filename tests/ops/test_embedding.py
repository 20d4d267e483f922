"""Embedding: torch's rows, and gradients that keep their small terms."""

import pytest
import torch
import torch.nn.functional as F

from stretto.ops.embedding import embedding


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_and_gradients(dtype):
    table = torch.randn(7, 3, dtype=torch.float64).to(dtype).requires_grad_()
    tokens = torch.tensor([0, 6, 2, 2, 0], dtype=torch.int32)
    assert torch.equal(embedding(table, tokens), F.embedding(tokens, table))
    weight = torch.randn(5, 3, dtype=torch.float64).to(dtype)
    (ours,) = torch.autograd.grad((embedding(table, tokens) * weight).sum(), table)
    (wide,) = torch.autograd.grad((F.embedding(tokens, table.double()) * weight.double()).sum(), table)
    torch.testing.assert_close(ours, wide.to(dtype))


def test_a_frequent_token_in_bfloat16():
    table = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    embedding(table, torch.zeros(4096, dtype=torch.int32)).sum().backward()
    assert table.grad.tolist() == [[4096.0], [0.0]]
