"""ZB-auto: an order for any size that obeys its cap, no worse than ZB-H1 in the same memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generators.zb_auto import zb_auto
from stretto.schedule.generators.zb_h1 import zb_h1
from stretto.schedule.graph import build
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError

TIME = st.floats(0.1, 3)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 8), st.floats(1, 12), st.builds(PassCosts, forward=TIME, transfer=TIME))
def test_every_size_obeys_its_cap(ranks, microbatches, cap, costs):
    program = zb_auto(ranks, microbatches, costs, cap)
    assert build(program).acyclic
    assert len({record for rank in program.ranks for record in rank}) == 3 * ranks * microbatches
    assert max(peaks(program, costs)) <= cap + 1e-9


@pytest.mark.parametrize(
    ("tf", "ti", "tw", "hop", "microbatches", "one", "two"),
    [(18.522, 18.086, 9.337, 0.601, 24, 0.1585, 0.0433), (18.513, 18.086, 9.331, 0.626, 32, 0.1242, 0.0039)],
)
def test_published_bubbles(tf, ti, tw, hop, microbatches, one, two):
    """Qi et al. 2023, table 5: 1.5B on 8 ranks, caps of 8 and 16 microbatches."""
    costs = PassCosts(forward=tf, input_grad=ti, weight_grad=tw, transfer=hop, weight_activation=0.3704)
    for cap, published in ((8, one), (16, two), (None, two)):
        span = max(timing(zb_auto(8, microbatches, costs, cap), costs).spans)
        assert 1 - microbatches * (tf + ti + tw) / span <= published + 1e-4
    handcrafted = max(timing(zb_h1(8, microbatches), costs).spans)
    assert max(timing(zb_auto(8, microbatches, costs, 8), costs).spans) <= handcrafted + 1e-9


def test_more_memory_never_hurts_much():
    costs = PassCosts(forward=1, input_grad=1.1, weight_grad=0.7, transfer=0.1, weight_activation=0.4)
    spans = [max(timing(zb_auto(4, 12, costs, cap), costs).spans) for cap in (1, 2, 4, 8)]
    assert spans == sorted(spans, reverse=True)
    assert spans[0] > spans[-1]


def test_refusals():
    with pytest.raises(UserError, match="ranks"):
        zb_auto(0, 1)
    with pytest.raises(UserError, match="smallest that works"):
        zb_auto(2, 2, memory_cap=0.5)
    with pytest.raises(UserError, match="expected at most"):
        zb_auto(8, 24, exact=True)
