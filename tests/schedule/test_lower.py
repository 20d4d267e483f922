"""Lowering: every result arrives once, receives are posted before they are needed, opposite messages are fused."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generate import generate
from stretto.schedule.graph import build
from stretto.schedule.judge import judge
from stretto.schedule.lower import lower
from stretto.schedule.registry import KINDS
from stretto.schedule.state import with_state
from stretto.spec.costs import PassCosts
from stretto.spec.lowered import Collective, Exchange, Receive, Send, write_step


def _texts(program, rank):
    return [write_step(step) for step in lower(program).ranks[rank]]


def test_two_ranks_by_hand():
    program = generate("1f1b", 2, 2)
    assert _texts(program, 0) == [
        "F0.0",
        "send F0.0 to 1",
        "F0.1",
        "send F0.1 to 1",
        "receive B1.0 from 1",
        "receive B1.1 from 1",
        "B0.0",
        "B0.1",
    ]
    assert _texts(program, 1) == [
        "receive F0.0 from 0",
        "receive F0.1 from 0",
        "F1.0",
        "B1.0",
        "send B1.0 to 0",
        "F1.1",
        "B1.1",
        "send B1.1 to 0",
    ]


def _ends(step):
    return (step.send, step.receive) if isinstance(step, Exchange) else (step,)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    half=st.integers(1, 3),
    extra=st.integers(0, 3),
    hop=st.sampled_from([0.0, 0.3]),
)
def test_every_message_has_both_ends_in_order(kind, half, extra, hop):
    program = generate(kind, 2 * half, 4 * half + extra * 2 * half)
    lowered = lower(program, PassCosts(transfer=hop))
    sent, received = Counter(), Counter()
    for rank, steps in enumerate(lowered.ranks):
        records = [s for s in steps if not isinstance(s, Send | Receive | Exchange | Collective)]
        assert tuple(records) == program.ranks[rank]
        for step in steps:
            for end in _ends(step):
                if isinstance(end, Send):
                    sent[rank, end.peer, end.what] += 1
                elif isinstance(end, Receive):
                    received[end.peer, rank, end.what] += 1
    assert sent == received
    assert set(sent.values()) <= {1}
    graph = build(program)
    needed = sum(len(graph.inputs[n]) for n in range(len(graph.records)))
    if not graph.virtual:
        assert len(sent) == needed
    assert judge(lowered, graph, rendezvous=True) is None
    assert judge(lowered, graph, rendezvous=False) is None


def test_opposite_messages_at_one_moment_become_one_exchange():
    steps = lower(generate("1f1b", 4, 8)).ranks
    exchanges = [step for rank in steps for step in rank if isinstance(step, Exchange)]
    assert exchanges
    for exchange in exchanges:
        assert exchange.send.peer == exchange.receive.peer


def test_receives_are_posted_before_the_pass_that_runs_meanwhile():
    texts = _texts(generate("1f1b", 4, 8), 2)
    assert texts[:3] == ["receive F1.0 from 1", "receive F1.1 from 1", "F2.0"]


@pytest.mark.parametrize("vocabulary", ["one", "two"])
def test_vocabulary_passes_become_collectives_in_one_order(vocabulary):
    lowered = lower(generate("1f1b", 3, 5, vocabulary=vocabulary))
    orders = [[write_step(s) for s in steps if isinstance(s, Collective)] for steps in lowered.ranks]
    assert orders[0] == orders[1] == orders[2]
    kinds = Counter(text.split()[0] for text in orders[0])
    assert kinds["broadcast"] == 10
    assert kinds["all-reduce"] == 5
    assert kinds["reduce"] == (5 if vocabulary == "one" else 10)


def test_sums_of_gradients_are_no_steps_of_their_own():
    program = with_state(generate("dualpipe", 4, 8))
    lowered = lower(program)
    assert not any(isinstance(step, Collective) for steps in lowered.ranks for step in steps)
    assert judge(lowered, build(program), rendezvous=True) is None
