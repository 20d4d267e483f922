"""The guard: leaps are refused, and refused losses are not remembered."""

import pytest

from stretto.train.guard import WINDOW, Guard
from stretto.train.step import Refused, StepResult


def _result(loss):
    return StepResult(loss, 1.0, 1, 1, 1)


def test_a_leap_is_refused_once_there_is_a_mean():
    guard = Guard(spike=2.0)
    for loss in (9.0, *[3.0] * 7):
        guard.check(_result(loss))
    guard.check(_result(7.4))
    with pytest.raises(Refused, match="times the recent"):
        guard.check(_result(9.0))
    assert list(guard.recent)[-1] == 7.4


def test_memory_is_bounded_and_carried_over():
    guard = Guard(spike=2.0)
    for _ in range(100):
        guard.check(_result(1.0))
    assert len(guard.recent) == WINDOW
    with pytest.raises(Refused):
        Guard(2.0, guard.recent).check(_result(2.1))


def test_small_losses_may_leap():
    guard = Guard(2.0, [0.01] * 8)
    guard.check(_result(0.4))
    with pytest.raises(Refused):
        guard.check(_result(0.7))
