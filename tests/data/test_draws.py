from stretto.data.draws import order


def test_an_order_is_a_permutation_decided_by_its_key():
    assert sorted(order(1000, "rows", 1, 2)) == list(range(1000))
    assert order(1000, "rows", 1, 2).tolist() == order(1000, "rows", 1, 2).tolist()
    others = [("rows", 1, 3), ("rows", 2, 1), ("rows", 12), ("rows", 1, 2, 0), ("documents", 1, 2)]
    assert len({tuple(order(1000, *key)) for key in [("rows", 1, 2), *others]}) == len(others) + 1


def test_orders_stay_what_they_are():
    """A resumed run must see the rows that it would have seen, on any later version of numpy."""
    assert order(10, "documents", 0, 0, 0).tolist() == [3, 8, 9, 6, 1, 7, 2, 4, 0, 5]
