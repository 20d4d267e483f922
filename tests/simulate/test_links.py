"""Links: closed forms of shared bandwidth, and what holds whenever messages come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.simulate.kernel import Kernel
from stretto.simulate.links import Link

MESSAGES = st.lists(st.tuples(st.floats(0, 20), st.floats(0, 10)), min_size=1, max_size=12)
"""(when, size) of each."""


def arrivals(contention, messages, bandwidth=2.0, latency=0.0):
    kernel = Kernel()
    link = Link(kernel, bandwidth, contention)
    sent = {}

    def send(number, size):
        sent[number] = link.send(size, latency)

    for number, (time, size) in enumerate(messages):
        kernel.at(time, send, number, size)
    kernel.run()
    return [sent[number].time for number in range(len(messages))]


@given(messages=MESSAGES, contention=st.sampled_from(["none", "fair", "serial"]))
def test_alone_a_message_takes_its_size_over_the_bandwidth_and_the_latency(messages, contention):
    (time, size) = messages[0]
    assert arrivals(contention, [(time, size)], 2.0, 0.5) == [pytest.approx(time + size / 2 + 0.5)]


@given(messages=MESSAGES)
def test_without_contention_messages_do_not_feel_each_other(messages):
    expected = [time + (size / 2 + 0.5) for time, size in messages]
    assert arrivals("none", messages, latency=0.5) == pytest.approx(expected)


@given(messages=MESSAGES)
def test_turns_are_taken_in_the_order_of_coming(messages):
    free, expected = 0.0, [0.0] * len(messages)
    for number in sorted(range(len(messages)), key=lambda n: (messages[n][0], n)):
        time, size = messages[number]
        free = max(free, time) + size / 2
        expected[number] = free + 0.5
    assert arrivals("serial", messages, latency=0.5) == pytest.approx(expected)


def test_equal_messages_share_fairly_and_end_together():
    assert arrivals("fair", [(1, 6)] * 3) == [10, 10, 10]


def test_of_two_that_start_together_the_smaller_leaves_after_twice_its_time():
    # Both at rate 1 until the smaller has had its 2 bytes, then the larger alone at rate 2.
    assert arrivals("fair", [(0, 2), (0, 6)]) == [2, 4]


def test_a_message_that_comes_later_slows_the_first_down():
    # Alone for 1 (2 of 6 bytes), together at rate 1: the second's 2 bytes end at 3, the first's last 2 at 4.
    assert arrivals("fair", [(0, 6), (1, 2)]) == [4, 3]


def test_latency_does_not_occupy_the_wire():
    assert arrivals("fair", [(0, 2), (1, 2)], latency=5) == [6, 7]
    assert arrivals("serial", [(0, 2), (0, 2)], latency=5) == [6, 7]


def fluid(messages, bandwidth):
    """Processor sharing told plainly: from one change to the next everybody on the wire has the same rate."""
    left = {n: size for n, (_, size) in enumerate(messages)}
    time, over = 0.0, {}
    while left:
        here = [n for n in left if messages[n][0] <= time]
        coming = min((messages[n][0] for n in left if messages[n][0] > time), default=float("inf"))
        if not here:
            time = coming
            continue
        rate = bandwidth / len(here)
        step = min(coming - time, min(left[n] for n in here) / rate)
        time = coming if step == coming - time else time + step
        for n in here:
            left[n] -= step * rate
            if left[n] <= 1e-12:
                over[n] = time
                del left[n]
    return [over[n] for n in range(len(messages))]


@given(messages=MESSAGES)
def test_fair_sharing_is_processor_sharing(messages):
    assert arrivals("fair", messages) == pytest.approx(fluid(messages, 2.0), abs=1e-9)


@given(messages=MESSAGES)
def test_fair_and_serial_finish_the_same_work_at_the_same_time(messages):
    assert max(arrivals("fair", messages)) == pytest.approx(max(arrivals("serial", messages)))


@given(messages=MESSAGES)
def test_contention_never_speeds_a_message_up(messages):
    alone = arrivals("none", messages)
    for contention in ("fair", "serial"):
        assert all(a >= b - 1e-9 for a, b in zip(arrivals(contention, messages), alone, strict=True))


def test_unbounded_bandwidth_leaves_the_latency_exactly():
    assert arrivals("fair", [(0.1, 7), (0.1, 9)], float("inf"), 0.2) == [0.1 + 0.2] * 2
