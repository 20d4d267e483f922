"""Packed attention against its definition, and what must not leak."""

import pytest
import torch

from stretto.ops.attention import continued_attention, packed_attention, reference_attention


def _inputs(heads, kv_heads, width, total, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = ((total, heads, width), (total, kv_heads, width), (total, kv_heads, width))
    return [torch.randn(size, generator=generator, dtype=dtype, requires_grad=True) for size in sizes]


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (6, 2), (7, 1), (9, 3)])
@pytest.mark.parametrize("offsets", [(0, 23), (0, 1, 8, 23), (0, 9, 9, 20), (0, 5)])
def test_equals_reference(heads, kv_heads, offsets):
    query, key, value = _inputs(heads, kv_heads, 8, 23)
    out = packed_attention(query, key, value, offsets, 0.3)
    expected = reference_attention(query, key, value, offsets, 0.3)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    weight = torch.randn_like(out)
    ours = torch.autograd.grad((out * weight).sum(), (query, key, value))
    theirs = torch.autograd.grad((expected * weight).sum(), (query, key, value))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_documents_leave_the_bits_alone(dtype):
    query, key, value = _inputs(6, 2, 16, 40, dtype)
    before = packed_attention(query, key, value, (0, 13, 40), 0.25)
    changed = [t.detach().clone() for t in (query, key, value)]
    for t in changed:
        t[13:] = torch.nan
    after = packed_attention(*changed, (0, 13, 40), 0.25)
    assert torch.equal(before[:13], after[:13])


def test_non_contiguous_inputs():
    query, key, value = _inputs(4, 2, 8, 12)
    strided = [t.detach().transpose(0, 1).contiguous().transpose(0, 1) for t in (query, key, value)]
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(
        packed_attention(*strided, (0, 5, 12), 0.3), packed_attention(query, key, value, (0, 5, 12), 0.3)
    )


@pytest.mark.parametrize("queries", [1, 2, 5, 17])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (6, 2)])
def test_continuation_equals_the_last_rows(queries, heads, kv_heads):
    query, key, value = _inputs(heads, kv_heads, 8, 17)
    whole = packed_attention(query, key, value, (0, 17), 0.3)
    last = continued_attention(query[-queries:], key, value, 0.3)
    torch.testing.assert_close(last, whole[-queries:], rtol=0, atol=1e-12)
