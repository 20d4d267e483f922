"""Interleaved 1F1B: its bubble and memory for any sizes and groups, and PyTorch's order where PyTorch has one."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.interleaved import groups, interleaved
from stretto.schedule.timing import timing
from stretto.spec.errors import UserError
from tests.schedule.generators.peer import torch_order
from tests.schedule.generators.published import ZERO_BUBBLE, published_costs
from tests.schedule.generators.sound import CHUNKS, EQUAL, MICROBATCHES, RANKS, assert_sound, bubble, stored, times

MORE = st.none() | st.integers(0, 6)


@settings(max_examples=80)
@given(RANKS, MICROBATCHES, CHUNKS, MORE, times())
def test_any_size(p, m, v, more, costs):
    group = None if more is None else p + more
    program = interleaved(p, m, v, group)
    assert_sound(program)
    ahead = [2 * (p - 1 - d) + (v - 1) * groups(p, m, group)[0] for d in range(p)]
    assert stored(program) == pytest.approx([min(m * v, w + 1) / v for w in ahead])
    per_chunk = (costs.forward + costs.input_grad + costs.weight_grad) / v
    makespan = timing(program, costs).makespan
    assert makespan == pytest.approx(per_chunk * ((v - 1) * max(m, p) + m + p - 1))


@settings(max_examples=60)
@given(RANKS, MICROBATCHES, st.integers(0, 6))
def test_groups(p, m, more):
    sizes = groups(p, m, p + more)
    assert sum(sizes) == m
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 1 or min(sizes) >= p
    if m % (p + more) == 0:
        assert set(sizes) == {p + more}


def test_what_is_left_over_is_a_group_or_spread():
    assert groups(4, 22, 6) == [6, 6, 6, 4]
    assert groups(4, 20, 6) == [7, 7, 6]
    assert groups(4, 10) == [5, 5]
    assert groups(4, 3) == [3]


@given(RANKS, MICROBATCHES, CHUNKS)
def test_groups_smaller_than_the_pipeline_are_refused(p, m, v):
    assume(p > 1)
    with pytest.raises(UserError, match=r"^group is"):
        interleaved(p, m, v, p - 1)


@pytest.mark.parametrize(
    ("p", "m", "v", "peaks", "idle"),
    [
        (4, 8, 2, [5.5, 4.5, 3.5, 2.5], 4.5),
        (4, 8, 4, [4.75, 4.25, 3.75, 3.25], 2.25),
        (8, 24, 2, [11.5, 10.5, 9.5, 8.5, 7.5, 6.5, 5.5, 4.5], 10.5),
        (8, 24, 4, [9.75, 9.25, 8.75, 8.25, 7.75, 7.25, 6.75, 6.25], 5.25),
    ],
)
def test_known_figures(p, m, v, peaks, idle):
    program = interleaved(p, m, v)
    assert stored(program) == peaks
    assert bubble(program, EQUAL) == pytest.approx(idle)


def test_every_group_waits_for_the_last_rank_in_the_published_setting():
    """The published 0.1055 leaves out what all but the first microbatch of a group wait for."""
    row = ZERO_BUBBLE[0]
    idle = bubble(interleaved(row.p, row.m, 3), published_costs(row))
    assert idle / (idle + row.m * (row.f + row.i + row.w)) == pytest.approx(0.1090, abs=5.1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "m", "v"), [(4, 8, 2), (8, 24, 4), (4, 10, 2), (3, 15, 3), (4, 3, 2)])
def test_the_order_of_torch(p, m, v):
    assert list(interleaved(p, m, v).ranks) == torch_order("Interleaved1F1B", p, m, v)
