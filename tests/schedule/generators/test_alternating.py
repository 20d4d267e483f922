"""Alternating: where forwards, backwards and what follows them come, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.schedule.generators.alternating import alternating
from stretto.spec.program import Compute


def row(kind, count):
    return [Compute(kind, 0, i) for i in range(count)]


@pytest.mark.parametrize(
    ("warmup", "lag", "expected"),
    [
        (0, 0, "F0 I0 W0 F1 I1 W1"),
        (1, 1, "F0 F1 I0 I1 W0 W1"),
        (5, 1, "F0 F1 I0 I1 W0 W1"),
        (0, 9, "F0 I0 F1 I1 W0 W1"),
    ],
)
def test_by_hand(warmup, lag, expected):
    records = alternating(row("F", 2), row("I", 2), warmup, row("W", 2), lag)
    assert " ".join(f"{r.kind}{r.microbatch}" for r in records) == expected


@given(st.integers(0, 12), st.integers(0, 15), st.integers(0, 15))
def test_everything_comes_once_and_in_its_order(count, warmup, lag):
    rows = {kind: row(kind, count) for kind in "FIW"}
    records = alternating(rows["F"], rows["I"], warmup, rows["W"], lag)
    assert {kind: [r for r in records if r.kind == kind] for kind in "FIW"} == rows
    without = [r for r in records if r.kind != "W"]
    assert list(alternating(rows["F"], rows["I"], warmup)) == without
    for number, record in enumerate(r for r in without if r.kind == "I"):
        ahead = [r for r in without[: without.index(record)] if r.kind == "F"]
        assert len(ahead) == min(number + warmup + 1, count)
