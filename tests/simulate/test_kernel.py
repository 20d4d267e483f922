"""The kernel: time goes forward, ties keep their order, everything asked for happens once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.simulate.kernel import Kernel, Signal, when_all

DELAYS = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.5]), max_size=30)


@given(delays=DELAYS)
def test_events_happen_once_in_the_order_of_time_and_of_asking(delays):
    kernel, seen = Kernel(), []
    for number, delay in enumerate(delays):
        kernel.after(delay, lambda n=number: seen.append((kernel.now, n)))
    assert kernel.run() == len(delays)
    assert seen == sorted(zip(delays, range(len(delays)), strict=True))


@given(delays=DELAYS, left_out=st.sets(st.integers(0, 29)))
def test_cancelled_events_do_not_happen(delays, left_out):
    kernel, seen = Kernel(), []
    for number in [kernel.after(delay, seen.append, n) for n, delay in enumerate(delays)]:
        if number in left_out:
            kernel.cancel(number)
    assert kernel.run() == len(seen)
    assert sorted(seen) == [n for n in range(len(delays)) if n not in left_out]


def test_events_may_ask_for_events():
    kernel, seen = Kernel(), []

    def tick(left):
        seen.append(kernel.now)
        if left:
            kernel.after(1.5, tick, left - 1)

    kernel.at(1.0, tick, 2)
    kernel.run()
    assert seen == [1.0, 2.5, 4.0]


def test_a_run_can_stop_and_go_on():
    kernel, seen = Kernel(), []
    for time in (1.0, 2.0, 3.0):
        kernel.at(time, seen.append, time)
    assert kernel.run(until=2.0) == 2
    assert (seen, kernel.now) == ([1.0, 2.0], 2.0)
    kernel.run(until=2.75)
    assert kernel.now == 2.75
    kernel.run()
    assert (seen, kernel.now) == ([1.0, 2.0, 3.0], 3.0)


@pytest.mark.parametrize("time", [0.5, float("nan")])
def test_the_past_is_refused(time):
    kernel = Kernel()
    kernel.at(1.0, lambda: kernel.at(time, print))
    with pytest.raises(ValueError, match=r"asked for at 1\.0"):
        kernel.run()


def test_a_signal_fires_once_and_tells_everybody_in_order():
    signal, seen = Signal(), []
    signal.then(lambda: seen.append("first"))
    signal.then(lambda: seen.append("second"))
    signal.fire(3.0)
    signal.then(lambda: seen.append("late"))
    assert (seen, signal.time) == (["first", "second", "late"], 3.0)
    with pytest.raises(ValueError, match="again"):
        signal.fire(4.0)


def test_all_of_several_signals():
    kernel, seen = Kernel(), []
    signals = [kernel.later(delay) for delay in (2.0, 1.0, 3.0)]
    when_all(signals, lambda: seen.append(kernel.now))
    kernel.run()
    when_all(signals, lambda: seen.append("there already"))
    when_all([], lambda: seen.append("nothing to wait for"))
    assert seen == [3.0, "there already", "nothing to wait for"]
