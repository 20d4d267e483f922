"""A document fed in pieces, in company, gives what it gives in one piece alone; and what is kept grows and ends."""

import pytest
import torch

from stretto.engine.cache import CacheContext, KeyValues, RequestCache
from stretto.models.context import LocalContext, ScanSpec
from stretto.testing.small import small_model, small_shape


def test_a_model_fed_in_pieces_is_the_model():
    shape = small_shape(50, context=80)
    model = small_model(shape)
    texts = [torch.randint(50, (n,)) for n in (9, 70, 1)]
    whole = [model(t, torch.arange(len(t)), LocalContext((0, len(t)))) for t in texts]
    caches = [RequestCache(80) for _ in texts]
    fed = [0, 0, 0]
    got = [[], [], []]
    for takers, rows in (((0, 1), (4, 66)), ((1, 0), (1, 1)), ((2, 0), (1, 3)), ((0, 1), (1, 3))):
        tokens = torch.cat([texts[i][fed[i] : fed[i] + n] for i, n in zip(takers, rows, strict=True)])
        positions = torch.cat([torch.arange(fed[i], fed[i] + n) for i, n in zip(takers, rows, strict=True)])
        hidden = model(tokens, positions, CacheContext([caches[i] for i in takers], rows))
        for i, part in zip(takers, hidden.split(rows), strict=True):
            got[i].append(part)
            fed[i] += len(part)
    for expected, parts in zip(whole, got, strict=True):
        torch.testing.assert_close(torch.cat(parts), expected, rtol=0, atol=1e-12)


def test_room_grows_by_doubling_up_to_the_limit():
    kept = KeyValues(100)
    key, value = torch.randn(2, 100, 2, 4)
    copies = set()
    for t in range(100):
        keys, values = kept.append(key[t : t + 1], value[t : t + 1])
        copies.add(keys.data_ptr())
        assert torch.equal(keys, key[: t + 1])
        assert torch.equal(values, value[: t + 1])
    assert len(copies) == 2  # 64 positions, then all 100
    with pytest.raises(ValueError, match="101 positions do not fit a cache of at most 100"):
        kept.append(key[:1], value[:1])


def test_a_scan_keeps_its_state():
    query, key = torch.rand(2, 7, 2, 3, dtype=torch.float64)
    value, decay = torch.rand(7, 2, 4, dtype=torch.float64), torch.rand(7, 2, dtype=torch.float64)
    rows = (query, key, value, decay)
    whole = LocalContext((0, 4, 7)).scan(ScanSpec(5), *rows)
    one, other = RequestCache(9), RequestCache(9)
    first = CacheContext([one], [3]).scan(ScanSpec(5), *(r[:3] for r in rows))
    both = CacheContext([other, one], [3, 1]).scan(ScanSpec(5), *(torch.cat((r[4:], r[3:4])) for r in rows))
    assert torch.equal(torch.cat((first, both[3:], both[:3])), whole)


def test_carried_values_follow_their_requests():
    one, other = RequestCache(9), RequestCache(9)
    assert CacheContext([one], [3]).carry("last", torch.tensor([[1.0, 2.0]])) is None
    before = CacheContext([other, one], [2, 1]).carry("last", torch.tensor([[3.0, 4.0], [5.0, 6.0]]))
    assert torch.equal(before, torch.tensor([[0.0, 0.0], [1.0, 2.0]]))
    before = CacheContext([one, other], [1, 1]).carry("last", torch.zeros(2, 2))
    assert torch.equal(before, torch.tensor([[5.0, 6.0], [3.0, 4.0]]))
    assert CacheContext([one], [1]).carry("other name", torch.zeros(1, 2)) is None
    with pytest.raises(ValueError, match="expected one for each of 2"):
        CacheContext([one, other], [1, 1]).carry("last", torch.zeros(3, 2))
