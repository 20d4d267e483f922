"""Random numbers: the same whatever else is drawn, different for every name, and of the stated distributions."""

from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.simulate.randomness import Source

MANY = range(4000)


@given(seed=st.integers(), name=st.text(), counter=st.integers(0, 2**64 - 1), before=st.lists(st.integers(0, 9)))
def test_a_number_depends_on_nothing_that_was_drawn_before(seed, name, counter, before):
    source = Source(seed, name)
    for other in before:
        source.uniform(other)
    assert source.uniform(counter) == Source(seed, name).uniform(counter)
    assert 0 < source.uniform(counter) < 1


def test_numbers_are_these():
    """What a seed gives is the same on every machine and in every version."""
    source = Source(7, "lengths")
    assert [source.uniform(n) for n in range(3)] == [0.9466699332380227, 0.687413964837066, 0.8447460047851444]


def test_seeds_names_and_counters_all_count():
    drawn = [Source(seed, name).uniform(n) for seed in (0, 1) for name in ("a", "b") for n in range(100)]
    assert len(set(drawn)) == len(drawn)


def test_distributions():
    source = Source(1, "here")
    uniform, normal = [source.uniform(n) for n in MANY], [source.normal(n) for n in MANY]
    assert fmean(uniform) == pytest.approx(0.5, abs=0.02)
    assert pstdev(uniform) == pytest.approx(12**-0.5, abs=0.01)
    assert fmean(normal) == pytest.approx(0, abs=0.06)
    assert pstdev(normal) == pytest.approx(1, abs=0.05)
    assert fmean(source.exponential(n) for n in MANY) == pytest.approx(1, abs=0.06)
    factors = [source.factor(n, 0.3) for n in MANY]
    assert fmean(factors) == pytest.approx(1, abs=0.02)
    assert min(factors) > 0
    assert source.factor(3, 0.0) == 1
