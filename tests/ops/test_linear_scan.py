"""The scan against its closed form, and its state's reset at documents."""

import torch

from stretto.ops.linear_scan import continued_scan, linear_scan


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


def test_a_scan_cut_anywhere_is_the_whole_one():
    query, key = torch.rand(2, 9, 2, 3, dtype=torch.float64)
    value, decay = torch.rand(9, 2, 4, dtype=torch.float64), torch.rand(9, 2, dtype=torch.float64)
    inputs = (query, key, value, decay)
    whole = linear_scan(*inputs, (0, 4, 9))
    states = torch.zeros(2, 2, 3, 4, dtype=torch.float64)
    parts = ([0, 1, 4, 5, 6], [2, 3], [7, 8])  # rows of the two documents in each of three steps
    out = torch.zeros_like(whole)
    for rows, offsets in zip(parts, ((0, 2, 5), (0, 2, 2), (0, 0, 2)), strict=True):
        out[rows], states = continued_scan(*(t[rows] for t in inputs), offsets, states)
    assert torch.equal(out, whole)


def test_a_scan_of_no_document_is_zero():
    query, value, decay = torch.rand(3, 2, 3), torch.rand(3, 2, 4), torch.rand(3, 2)
    assert torch.equal(linear_scan(query, query, value, decay, (0,)), torch.zeros(3, 2, 4))
