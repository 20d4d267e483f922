"""Communication as written: what works, what stops, and who waits for whom."""

import pytest

from stretto.schedule.generate import generate
from stretto.schedule.graph import build
from stretto.schedule.judge import judge
from stretto.schedule.lower import lower
from stretto.spec.lowered import Collective, Exchange, Lowered, Receive, Send
from stretto.spec.program import Compute, Program

F, B = (lambda s, i: Compute("F", s, i)), (lambda s, i: Compute("B", s, i))


def _judged(lowered):
    graph = build(lowered.program)
    return [f.sentence if f else "" for f in (judge(lowered, graph, rendezvous=r) for r in (False, True))]


def _two_ways(*ranks):
    """Two ranks, two copies of one stage pair: each rank sends the other a forward and a backward."""
    program = Program(
        ranks=tuple(tuple(s for s in rank if isinstance(s, Compute)) for rank in ranks),
        stages=2,
        microbatches=2,
        placement=((0, 1), (1, 0)),
        forward_only=True,
    )
    return Lowered(program=program, ranks=ranks)


X, Y = Compute("F", 0, 0, copy=0), Compute("F", 0, 1, copy=1)
TO, FROM = Compute("F", 1, 0, copy=0), Compute("F", 1, 1, copy=1)


def test_two_sends_first_work_buffered_and_stop_with_rendezvous():
    lowered = _two_ways(
        (X, Send(X, 1), Receive(Y, 1), FROM),
        (Y, Send(Y, 0), Receive(X, 0), TO),
    )
    buffered, rendezvous = _judged(lowered)
    assert buffered == ""
    assert rendezvous == (
        "rank 0 stands at send F0.0 to 1 and waits for rank 1 to receive it; "
        "rank 1 stands at send F0.1@1 to 0 and waits for rank 0 to receive it."
    )


def test_two_receives_first_stop_in_order_streams():
    lowered = _two_ways(
        (X, Receive(Y, 1), Send(X, 1), FROM),
        (Y, Receive(X, 0), Send(Y, 0), TO),
    )
    buffered, rendezvous = _judged(lowered)
    assert buffered == ""
    assert "waits for rank" in rendezvous


def test_an_exchange_works():
    lowered = _two_ways(
        (X, Exchange(Send(X, 1), Receive(Y, 1)), FROM),
        (Y, Exchange(Send(Y, 0), Receive(X, 0)), TO),
    )
    assert _judged(lowered) == ["", ""]


def test_one_side_first_works():
    lowered = _two_ways(
        (X, Send(X, 1), Receive(Y, 1), FROM),
        (Y, Receive(X, 0), Send(Y, 0), TO),
    )
    assert _judged(lowered) == ["", ""]


def _pipeline(change):
    lowered = lower(generate("1f1b", 2, 2))
    ranks = [list(rank) for rank in lowered.ranks]
    change(ranks)
    return Lowered(program=lowered.program, ranks=tuple(map(tuple, ranks)))


def _swap(ranks):
    first, second = (i for i, s in enumerate(ranks[1]) if isinstance(s, Receive))
    ranks[1][first], ranks[1][second] = ranks[1][second], ranks[1][first]


def _drop_receive(ranks):
    del ranks[1][next(i for i, s in enumerate(ranks[1]) if isinstance(s, Receive))]


def _drop_send(ranks):
    del ranks[0][next(i for i, s in enumerate(ranks[0]) if isinstance(s, Send))]


def _wrong_peer(ranks):
    at = next(i for i, s in enumerate(ranks[0]) if isinstance(s, Send))
    ranks[0][at] = ranks[0][at]._replace(peer=0)


def _late_send(ranks):
    at = next(i for i, s in enumerate(ranks[0]) if isinstance(s, Send))
    ranks[0].append(ranks[0].pop(at))


def _twice(ranks):
    at = next(i for i, s in enumerate(ranks[0]) if isinstance(s, Send))
    ranks[0].append(ranks[0][at])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_swap, "rank 0 sends F0.0 to rank 1, whose next receive from there is for F0.1"),
        (_drop_receive, "F0.0"),
        (_drop_send, "F0"),
        (_wrong_peer, "F0"),
        (_late_send, "F0"),
        (_twice, "rank 0 sends F0.0 a second time"),
    ],
)
def test_broken_messages_are_found_both_ways(change, sentence):
    buffered, _ = _judged(_pipeline(change))
    assert sentence in buffered
    assert _judged(_pipeline(change))[1]


def test_collectives_in_different_orders_are_found():
    lowered = lower(generate("1f1b", 2, 3, vocabulary="one"))
    ranks = [list(rank) for rank in lowered.ranks]
    first, second = [i for i, s in enumerate(ranks[1]) if isinstance(s, Collective)][:2]
    ranks[1].insert(second, ranks[1].pop(first))
    broken = Lowered(program=lowered.program, ranks=tuple(map(tuple, ranks)))
    assert "collectives must be started in one order" in _judged(broken)[0]


def test_a_collective_that_one_rank_leaves_out_is_found():
    lowered = lower(generate("1f1b", 2, 3, vocabulary="one"))
    ranks = [list(rank) for rank in lowered.ranks]
    del ranks[1][max(i for i, s in enumerate(ranks[1]) if isinstance(s, Collective))]
    broken = Lowered(program=lowered.program, ranks=tuple(map(tuple, ranks)))
    assert all(_judged(broken))


def test_other_records_than_the_programs_are_found():
    lowered = lower(generate("1f1b", 2, 2))
    broken = Lowered(program=lowered.program, ranks=(lowered.ranks[0][1:], lowered.ranks[1]))
    assert "the records among the communication are not those of the program" in _judged(broken)[0]


def _judged_steps(ranks):
    program = generate("1f1b", 3, 1)
    return _judged(Lowered(program=program, ranks=tuple(map(tuple, ranks))))


def _three():
    return [list(rank) for rank in lower(generate("1f1b", 3, 1)).ranks]


def test_a_result_is_sent_by_the_rank_that_has_it_when_it_has_it():
    early = _three()
    early[0].insert(0, early[0].pop(next(i for i, s in enumerate(early[0]) if isinstance(s, Send))))
    assert all("which it has not computed by then" in sentence for sentence in _judged_steps(early))
    stranger = _three()
    stranger[2].insert(0, Send(F(0, 0), 1))
    assert all("rank 2 sends F0.0 to rank 1, which it has not computed" in found for found in _judged_steps(stranger))


def test_a_result_arrives_where_it_was_received():
    ranks = _three()
    at = next(i for i, s in enumerate(ranks[0]) if isinstance(s, Send))
    ranks[0][at] = Send(F(0, 0), 2)
    ranks[1] = [s for s in ranks[1] if s != Receive(F(0, 0), 0)]
    ranks[2].insert(0, Receive(F(0, 0), 0))
    assert all(_judged_steps(ranks))


def test_nobody_sends_to_itself_or_to_nobody():
    for peer in (0, 7, -1):
        ranks = _three()
        at = next(i for i, s in enumerate(ranks[0]) if isinstance(s, Send))
        ranks[0][at] = Send(F(0, 0), peer)
        assert "names no other rank" in _judged_steps(ranks)[0]


def test_steps_of_too_few_ranks():
    assert "there are steps of 2 ranks; the program has 3" in _judged_steps(_three()[:2])[0]


def test_collectives_wait_for_their_parts_and_for_everybody():
    lowered = lower(generate("1f1b", 2, 3, vocabulary="one"))
    ranks = [list(rank) for rank in lowered.ranks]
    at = [i for i, s in enumerate(ranks[1]) if isinstance(s, Collective)]
    early = [ranks[0], [ranks[1][at[0]], *ranks[1][: at[0]], *ranks[1][at[0] + 1 :]]]
    assert (
        "before its part of it is computed"
        in _judged(Lowered(program=lowered.program, ranks=tuple(map(tuple, early))))[0]
    )
    ranks[1].append(ranks[1][at[0]])
    assert all(_judged(Lowered(program=lowered.program, ranks=tuple(map(tuple, ranks)))))
