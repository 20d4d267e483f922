"""What work holds while it is done: resources of which there are some units, and streams that do one thing at a time.

A resource is a queue with a capacity (places in a batch, blocks of a cache, processors); a stream is what an
accelerator has several of, each of them serial and in order, all of them at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial
from heapq import heappop, heappush
from typing import NamedTuple

from stretto.simulate.kernel import Kernel, Signal, when_all


class _Request(NamedTuple):
    priority: float
    number: int
    amount: int
    granted: Signal


class Resource:
    """Units that are taken and given back; who finds too few waits.

    Those who wait are served by priority, the lowest number first, and first come first served among equals. Nobody
    overtakes: where the first asks for more than is free, those behind it wait too, so nobody waits for ever.
    """

    def __init__(self, kernel: Kernel, capacity: int) -> None:
        self.free = capacity
        """Units that nobody holds."""
        self._kernel, self._capacity = kernel, capacity
        self._waiting: list[_Request] = []
        self._asked = 0
        self._serving = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take(self, amount: int = 1, priority: float = 0.0) -> Signal:
        """Ask for units; the signal fires when they are there, and then they are taken.

        Raises:
            ValueError: there are never so many.
        """
        if not 0 < amount <= self._capacity:
            raise ValueError(f"{amount} units asked for of a resource that has {self._capacity}")
        granted = Signal()
        heappush(self._waiting, _Request(priority, self._asked, amount, granted))
        self._asked += 1
        self._serve()
        return granted

    def give(self, amount: int = 1) -> None:
        """Give units back.

        Raises:
            ValueError: more than were taken.
        """
        if not 0 < amount <= self._capacity - self.free:
            raise ValueError(f"{amount} units given back of {self._capacity - self.free} taken")
        self.free += amount
        self._serve()

    def hold(self, lasts: float, amount: int = 1, priority: float = 0.0) -> Signal:
        """Take units, keep them for a time and give them back; the signal fires then."""
        done = Signal()
        self.take(amount, priority).then(partial(self._kernel.after, lasts, self._release, amount, done))
        return done

    def _release(self, amount: int, done: Signal) -> None:
        self.give(amount)
        done.fire(self._kernel.now)

    def _serve(self) -> None:
        """Serve those whose turn it is. Who gives units back while being served leaves it to the loop that serves."""
        if self._serving:
            return
        self._serving = True
        while self._waiting and self._waiting[0].amount <= self.free:
            request = heappop(self._waiting)
            self.free -= request.amount
            request.granted.fire(self._kernel.now)
        self._serving = False


class Task:
    """Something that a stream does."""

    __slots__ = ("done", "lasts", "ready", "started")

    def __init__(self, lasts: float) -> None:
        self.lasts = lasts
        """For how long it keeps the stream."""
        self.ready = False
        """Whether all that it needs is there."""
        self.started = Signal()
        """It starts."""
        self.done = Signal()
        """It is over."""


class Stream:
    """Tasks one after the other, strictly in the order in which they came: one that waits holds up the rest."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: deque[Task] = deque()
        self._running = False

    def submit(self, task: Task, after: Iterable[Signal] = ()) -> None:
        """Add a task that starts when the stream is free and all of `after` have happened."""
        self._queue.append(task)
        when_all(after, partial(self._ready, task))

    def _ready(self, task: Task) -> None:
        task.ready = True
        if not self._running:
            self._next()

    def _next(self) -> None:
        if self._queue and self._queue[0].ready:
            task = self._queue.popleft()
            self._running = True
            task.started.fire(self._kernel.now)
            self._kernel.after(task.lasts, self._finish, task)

    def _finish(self, task: Task) -> None:
        self._running = False
        task.done.fire(self._kernel.now)
        if not self._running:
            self._next()
