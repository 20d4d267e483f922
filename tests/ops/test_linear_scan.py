"""The scan against its closed form, and its state's reset at documents."""

import torch

from stretto.ops.linear_scan import linear_scan


def test_equals_the_sum_over_earlier_positions():
    query, key = torch.rand(2, 9, 2, 3, dtype=torch.float64)
    value = torch.rand(9, 2, 4, dtype=torch.float64)
    decay = torch.rand(9, 2, dtype=torch.float64)
    out = linear_scan(query, key, value, decay, (0, 4, 8))
    assert (out[8] == 0).all()
    for start, stop in ((0, 4), (4, 8)):
        for t in range(start, stop):
            expected = torch.zeros(2, 4, dtype=torch.float64)
            for s in range(start, t + 1):
                kept = decay[s + 1 : t + 1].prod(0)
                expected += (query[t] * key[s]).sum(-1, keepdim=True) * kept[:, None] * value[s]
            torch.testing.assert_close(out[t], expected, rtol=0, atol=1e-12)
