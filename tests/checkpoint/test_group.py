"""A failure on one rank is the same sentence, of the same class, on all of them."""

import errno

import pytest

from stretto.checkpoint.group import OneRank, together
from stretto.spec.errors import StrettoError, UserError

FULL = OSError(errno.ENOSPC, "No space left on device", "/data/run.json")


def test_what_an_action_returns():
    assert together(OneRank(), lambda: 3) == 3


@pytest.mark.parametrize(
    ("failure", "kind", "sentence"),
    [
        (UserError("steps is 0."), UserError, "steps is 0."),
        (StrettoError("the disk is full."), StrettoError, "the disk is full."),
        (FULL, StrettoError, "/data/run.json: no space left on device."),
        (OSError("odd"), StrettoError, "the system reports: odd."),
    ],
)
def test_failures_alone(failure, kind, sentence):
    with pytest.raises(StrettoError) as caught:
        together(OneRank(), lambda: _raise(failure))
    assert (type(caught.value), str(caught.value)) == (kind, sentence)


def _raise(failure):
    raise failure


def _on_a_rank(world, failures):
    failure = failures[world.rank]
    try:
        together(world, lambda: _raise(failure) if failure else None)
    except StrettoError as error:
        return type(error).__name__, error.exit_code, str(error)
    return None


@pytest.mark.parametrize(
    ("failures", "answer"),
    [
        ((None, UserError("a.")), ("UserError", 2, "a.")),
        ((None, StrettoError("b.")), ("StrettoError", 1, "b.")),
        ((FULL, UserError("c.")), ("StrettoError", 1, "/data/run.json: no space left on device.")),
        ((None, None), None),
    ],
)
def test_every_rank_says_the_same(ranks, failures, answer):
    assert ranks.run(2, _on_a_rank, failures) == [answer, answer]
