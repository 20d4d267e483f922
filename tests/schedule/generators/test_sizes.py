"""Sizes: the first that is too small is named; stages are dealt out in turn."""

import pytest

from stretto.schedule.generators.placing import looped
from stretto.schedule.generators.sizes import check_sizes
from stretto.spec.errors import UserError


def test_the_first_size_that_is_too_small_is_named():
    check_sizes(ranks=1, microbatches=1)
    with pytest.raises(UserError, match=r"^microbatches is 0; expected an integer of at least 1\.$"):
        check_sizes(ranks=1, microbatches=0, chunks=-1)


def test_stages_are_dealt_out_in_turn():
    assert looped(3, 2) == ((0, 1, 2, 0, 1, 2),)
