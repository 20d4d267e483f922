"""The norm against its definition in float64."""

import pytest
import torch

from stretto.ops.norm import reference_rms_norm, rms_norm


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 8e-3)])
def test_equals_reference(dtype, bound):
    x = (torch.randn(9, 33, dtype=torch.float64) * 30).to(dtype)
    weight = torch.randn(33, dtype=torch.float64).to(dtype)
    wide = reference_rms_norm(x.double(), weight.double(), 1e-5)
    error = (rms_norm(x, weight, 1e-5).double() - wide).abs().max() / wide.abs().max()
    assert error < bound
