"""The fixture itself: a rank's traceback reaches the test."""

import pytest

from stretto.testing.ranks import RankFailed


def _fail(world, rank):
    if world.rank == rank:
        raise KeyError("lost")


def _echo(world, value):
    return world.rank, value


def test_results_and_failures(ranks):
    assert ranks.run(3, _echo, "x") == [(0, "x"), (1, "x"), (2, "x")]
    with pytest.raises(RankFailed, match=r"(?s)rank 1:.*KeyError: 'lost'"):
        ranks.run(2, _fail, 1)
