"""Rotary embedding: relative, exact in its gradient, and indifferent to strides."""

import torch

from stretto.ops.rotary import rotary_table, rotate


def test_scores_depend_on_the_distance_alone():
    table = rotary_table(64, 8, 100.0)
    query, key = torch.randn(1, 1, 8, dtype=torch.float64), torch.randn(1, 1, 8, dtype=torch.float64)

    def score(at, behind):
        left = rotate(query, torch.tensor([at]), table)
        return (left * rotate(key, torch.tensor([at - behind]), table)).sum()

    torch.testing.assert_close(score(5, 3), score(60, 3), rtol=0, atol=1e-12)
    assert abs(score(5, 3) - score(5, 2)) > 1e-6


def test_gradient_and_strides():
    table = rotary_table(10, 6, 10_000.0)
    positions = torch.tensor([0, 3, 9, 1], dtype=torch.int32)
    x = torch.randn(4, 2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: rotate(t, positions, table), x)
    strided = x.detach().transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(rotate(strided, positions, table), rotate(x, positions, table))
