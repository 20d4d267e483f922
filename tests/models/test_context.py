"""The plain context: scans and experts go through it, and nothing is carried."""

import torch

from stretto.models.context import ExpertsSpec, LocalContext, ScanSpec
from stretto.ops.experts import mixed_experts
from stretto.ops.linear_scan import linear_scan


def test_methods_are_the_operations():
    context = LocalContext((0, 4, 7))
    query, key, value = torch.randn(3, 7, 2, 3)
    decay = torch.rand(7, 2)
    assert torch.equal(
        context.scan(ScanSpec(0), query, key, value, decay), linear_scan(query, key, value, decay, (0, 4, 7))
    )
    x, scores = torch.randn(7, 3), torch.randn(7, 4)
    gate, up, down = torch.randn(4, 5, 3), torch.randn(4, 5, 3), torch.randn(4, 3, 5)
    spec = ExpertsSpec(0, gate, up, down, 2)
    assert torch.equal(context.experts(spec, x, scores), mixed_experts(x, scores, gate, up, down, 2))
    assert context.carry("state", x) is None
