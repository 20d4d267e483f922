"""Rates over a run: ends, monotony, and each kind's definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.spec.run.optimizer import WSD, Constant, Cosine, Linear
from stretto.train.lr_schedule import rate_factor

KINDS = [Constant(), Linear(final=0.1), Cosine(final=0.2), WSD(decay=0.3, final=0.05)]


@pytest.mark.parametrize("schedule", KINDS)
@given(progress=st.floats(-1, 2), step=st.floats(0, 0.1))
def test_rises_through_the_warm_up_and_never_after(schedule, progress, step):
    now, later = rate_factor(schedule, progress), rate_factor(schedule, progress + step)
    assert 0 <= now <= 1
    if progress >= schedule.warmup:
        assert later <= now + 1e-12
    elif progress + step < schedule.warmup:
        assert later >= now


@pytest.mark.parametrize(("schedule", "end"), list(zip(KINDS, (1, 0.1, 0.2, 0.05), strict=True)))
def test_ends(schedule, end):
    assert rate_factor(schedule, 0) == 0
    assert rate_factor(schedule, schedule.warmup) == 1
    assert rate_factor(schedule, 1) == pytest.approx(end)


def test_definitions():
    assert rate_factor(Linear(warmup=0.2), 0.6) == pytest.approx(0.5)
    assert rate_factor(Cosine(warmup=0, final=0), 0.25) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert rate_factor(WSD(warmup=0.1, decay=0.5), 0.5) == 1
    assert rate_factor(WSD(warmup=0.1, decay=0.5), 0.75) == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", [Constant(warmup=0), Linear(warmup=1), Cosine(warmup=1), WSD(warmup=1, decay=1)])
def test_edges_are_finite(schedule):
    assert all(math.isfinite(rate_factor(schedule, p)) for p in (0.0, 0.5, 1.0))
