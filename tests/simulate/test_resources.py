"""Resources and streams: units are conserved, nobody overtakes, streams are serial and run side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.simulate.kernel import Kernel
from stretto.simulate.resources import Resource, Stream, Task

JOBS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(0, 5)), max_size=20)
"""When each comes, how many units it wants, for how long."""


def held(jobs, capacity, priorities=None):
    """When each job was served, and the largest number of units held at once."""
    kernel = Kernel()
    resource = Resource(kernel, capacity)
    served, most = {}, [0]

    def serve(number, amount, lasts):
        served[number] = kernel.now
        most[0] = max(most[0], capacity - resource.free)
        kernel.after(lasts, resource.give, amount)

    def come(number, amount, lasts):
        priority = priorities[number] if priorities else 0
        resource.take(amount, priority).then(lambda: serve(number, amount, lasts))

    for number, (time, amount, lasts) in enumerate(jobs):
        kernel.at(time, come, number, min(amount, capacity), lasts)
    kernel.run()
    assert resource.free == capacity
    assert resource.waiting == 0
    return served, most[0]


@given(jobs=JOBS, capacity=st.integers(1, 6))
def test_units_are_conserved_and_the_first_to_come_is_served_first(jobs, capacity):
    served, most = held(jobs, capacity)
    assert len(served) == len(jobs)
    assert most <= capacity
    order = sorted(served, key=lambda number: (jobs[number][0], number))
    times = [served[number] for number in order]
    assert times == sorted(times)
    assert all(served[number] >= jobs[number][0] for number in served)


@given(jobs=JOBS.filter(bool))
def test_one_unit_is_a_queue_with_the_textbooks_times(jobs):
    served, _ = held([(time, 1, lasts) for time, _, lasts in jobs], 1)
    free = 0
    for number in sorted(range(len(jobs)), key=lambda n: (jobs[n][0], n)):
        time, _, lasts = jobs[number]
        assert served[number] == max(time, free)
        free = served[number] + lasts


def test_lower_numbers_go_first():
    served, _ = held([(0, 1, 1)] * 5, 1, priorities=[0, 2, 1, 2, 0])
    assert sorted(served, key=served.__getitem__) == [0, 4, 2, 1, 3]


def test_a_large_request_is_not_overtaken():
    served, _ = held([(0, 2, 10), (1, 3, 1), (2, 1, 1)], 3)
    assert served == {0: 0, 1: 10, 2: 11}


def test_units_are_held_for_a_time():
    kernel = Kernel()
    resource = Resource(kernel, 2)
    done = [resource.hold(lasts) for lasts in (3.0, 1.0, 1.0, 4.0)]
    kernel.run()
    assert [signal.time for signal in done] == [3.0, 1.0, 2.0, 6.0]


def test_a_thousand_that_wait_for_nothing_long_do_not_pile_up():
    kernel = Kernel()
    resource = Resource(kernel, 1)
    served = []
    resource.take()
    for number in range(2000):
        resource.take().then(lambda n=number: (served.append(n), resource.give()))
    resource.give()
    assert served == list(range(2000))
    assert resource.free == 1


@pytest.mark.parametrize("amount", [0, 3])
def test_impossible_amounts_are_refused(amount):
    resource = Resource(Kernel(), 2)
    with pytest.raises(ValueError, match="2"):
        resource.take(amount)
    with pytest.raises(ValueError, match="0 taken"):
        resource.give(amount)


@given(
    streams=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20)), max_size=8), min_size=1, max_size=3
    )
)
def test_streams_are_serial_each_and_run_side_by_side(streams):
    kernel = Kernel()
    tasks = []
    for work in streams:
        stream = Stream(kernel)
        tasks.append([Task(lasts) for lasts, _ in work])
        for task, (_, needs) in zip(tasks[-1], work, strict=True):
            stream.submit(task, [] if needs is None else [kernel.later(needs)])
    kernel.run()
    for work, done in zip(streams, tasks, strict=True):
        free = 0
        for task, (lasts, needs) in zip(done, work, strict=True):
            assert task.started.time == max(free, needs or 0)
            free = task.started.time + lasts
            assert task.done.time == free
