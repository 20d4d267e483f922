"""Skipping: every microbatch leaves out as many stages, every inner stage is left out as often, and it pays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.skip import skip
from stretto.schedule.graph import build
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from tests.schedule.composing import check

UNITS = PassCosts()


@settings(max_examples=60, deadline=None)
@given(ranks=st.integers(1, 9), microbatches=st.integers(1, 20), ratio=st.floats(0, 0.99), data=st.data())
def test_every_size_is_right(ranks, microbatches, ratio, data):
    delays = st.sampled_from((0.0, 0.1, 0.5))
    row = st.tuples(*[delays] * ranks)
    costs = data.draw(st.none() | st.builds(PassCosts, transfer=st.tuples(*[row] * ranks), forward=st.just(1.0)))
    ratio = min(ratio, max(ranks - 3, 0) / ranks)
    program = skip(ranks, microbatches, ratio, costs)
    check(program)
    assert build(program).acyclic
    assert program == skip(ranks, microbatches, ratio, costs)
    skipped = min(int(ratio * ranks + 0.5), max(ranks - 3, 0))
    for path in program.paths:
        assert len(path) == ranks - skipped
        assert (path[0], path[-1]) == (0, ranks - 1)
    visits = [sum(stage in path for path in program.paths) for stage in range(1, ranks - 1)]
    assert not visits or max(visits) - min(visits) <= 1
    assert max(peaks(program, UNITS)) <= ranks


@pytest.mark.parametrize(("ranks", "microbatches"), [(4, 8), (6, 12), (8, 8), (8, 32), (16, 32)])
def test_it_is_faster_than_visiting_every_stage(ranks, microbatches):
    full = timing(one_f_one_b(ranks, microbatches), UNITS).makespan
    short = timing(skip(ranks, microbatches), UNITS).makespan
    bound = full - 3 * int(ranks / 3 + 0.5)
    assert bound <= short <= (bound if ranks < 16 else bound + 8)
    light = PassCosts(
        forward=(0.3, *[1.0] * (ranks - 2), 0.3),
        input_grad=(0.3, *[1.0] * (ranks - 2), 0.3),
        weight_grad=(0.3, *[1.0] * (ranks - 2), 0.3),
    )
    full = timing(one_f_one_b(ranks, microbatches), light).makespan
    assert timing(skip(ranks, microbatches, costs=light), light).makespan <= 0.85 * full


def test_slow_links_are_hidden_or_gone_around():
    slow = tuple(tuple(0.0 if a == b else 1.0 if (a + b) % 3 else 0.1 for b in range(8)) for a in range(8))
    costs = PassCosts(transfer=slow)
    full = timing(one_f_one_b(8, 32), costs).makespan
    aware = timing(skip(8, 32, costs=costs), costs).makespan
    assert aware <= timing(skip(8, 32), costs).makespan
    assert aware <= 0.75 * full


def test_nothing_skipped_is_every_stage():
    program = skip(4, 6, ratio=0)
    assert set(program.paths) == {(0, 1, 2, 3)}
    assert timing(program, UNITS).makespan == timing(one_f_one_b(4, 6), UNITS).makespan


def test_what_cannot_be_skipped_says_why():
    with pytest.raises(UserError, match="ratio is 1; expected a share"):
        skip(4, 4, ratio=1)
    with pytest.raises(UserError, match=r"ratio is 0\.9; expected a share of 4 stages that skips at most 1 of them"):
        skip(4, 4, ratio=0.9)
    with pytest.raises(UserError, match="ranks is 0"):
        skip(0, 4)
