import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.data.mixture import BLOCK_ROWS, Mixture, quotas
from stretto.spec.errors import UserError


@settings(deadline=None)
@given(weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=8))
def test_quotas_are_exact_shares(weights):
    shares = quotas(weights, BLOCK_ROWS)
    assert sum(shares) == BLOCK_ROWS
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - weight / sum(weights) * BLOCK_ROWS) < 1


def test_largest_remainders_win():
    assert quotas([1, 1, 1], 10) == [4, 3, 3]
    assert quotas([0.7, 0.3], 1024) == [717, 307]


def test_every_block_has_the_mixture_and_every_source_its_rows_in_turn():
    mixture = Mixture([3, 1], seed=5)
    places = [mixture.place(i) for i in range(3 * BLOCK_ROWS)]
    for source, quota in enumerate([768, 256]):
        assert [row for s, row in places if s == source] == list(range(3 * quota))
        for block in range(3):
            inside = places[block * BLOCK_ROWS : (block + 1) * BLOCK_ROWS]
            assert sum(s == source for s, _ in inside) == quota
    assert [s for s, _ in places[:BLOCK_ROWS]] != [s for s, _ in places[BLOCK_ROWS : 2 * BLOCK_ROWS]]


def test_any_row_can_be_asked_for_alone():
    asked, mixture = [10**12, 5, 2000, 5], Mixture([3, 1], seed=5)
    assert [Mixture([3, 1], seed=5).place(i) for i in asked] == [mixture.place(i) for i in asked]
    assert Mixture([3, 1], seed=5).place(10**12)[1] > 10**11


def test_a_weight_that_is_never_read_is_refused():
    with pytest.raises(UserError, match=r"data.sources.1.weight is 0.0001, a share of 0.0001; expected at least"):
        Mixture([1, 0.0001], seed=0)
