"""Virtual time: a heap of things that will happen, and one number that says when now is.

Everything that is foreseen runs on this kernel: programs, and policies that decide while requests come and go. What
happens at the same moment happens in the order in which it was asked for, so a simulation is the same every time.
Resources, streams (`simulate.resources`) and links (`simulate.links`) are built of two things, an action at a moment
and a `Signal`. An event costs one push and one pop of a heap and one call: about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from heapq import heappop, heappush
from typing import Any


class Signal:
    """Something that happens once, and what is to be done when it does."""

    __slots__ = ("_actions", "time")

    def __init__(self) -> None:
        self.time: float | None = None
        """When it happened; none before."""
        self._actions: list[Callable[[], object]] = []

    def then(self, action: Callable[[], object]) -> None:
        """Do `action` when it happens, at once where it has; actions go in the order in which they were given."""
        if self.time is None:
            self._actions.append(action)
        else:
            action()

    def fire(self, now: float) -> None:
        """Say that it happens.

        Raises:
            ValueError: it has happened before.
        """
        if self.time is not None:
            raise ValueError(f"a signal of time {self.time} was fired again at {now}")
        self.time = now
        actions, self._actions = self._actions, []
        for action in actions:
            action()


class Kernel:
    """A clock of virtual time and the events to come."""

    def __init__(self) -> None:
        self.now = 0.0
        """The time of the event that is happening."""
        self._events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._asked = 0
        self._cancelled: set[int] = set()

    def at(self, time: float, action: Callable[..., object], *arguments: Any) -> int:
        """Call ``action(*arguments)`` at `time`; the number returned is what `cancel` takes.

        Raises:
            ValueError: `time` is over, or is no number.
        """
        if not time >= self.now:
            raise ValueError(f"an event for {time} was asked for at {self.now}")
        number = self._asked
        self._asked = number + 1
        heappush(self._events, (time, number, action, arguments))
        return number

    def after(self, delay: float, action: Callable[..., object], *arguments: Any) -> int:
        """Call ``action(*arguments)`` when `delay` has passed."""
        return self.at(self.now + delay, action, *arguments)

    def cancel(self, number: int) -> None:
        """Leave out an event that has not happened yet."""
        self._cancelled.add(number)

    def later(self, delay: float, signal: Signal | None = None) -> Signal:
        """A signal, or the one given, that fires when `delay` has passed."""
        signal = signal or Signal()
        time = self.now + delay
        self.at(time, signal.fire, time)
        return signal

    def run(self, until: float | None = None) -> int:
        """Let events happen until none is left, or up to and with the moment `until`.

        Returns:
            How many happened.
        """
        events, cancelled = self._events, self._cancelled
        happened = 0
        while events and (until is None or events[0][0] <= until):
            time, number, action, arguments = heappop(events)
            if cancelled and number in cancelled:
                cancelled.remove(number)
                continue
            self.now = time
            action(*arguments)
            happened += 1
        if until is not None:
            self.now = max(self.now, until)
        return happened


def when_all(signals: Iterable[Signal], action: Callable[[], object]) -> None:
    """Do `action` once all of `signals` have happened; at once where they have."""
    waiting = [signal for signal in signals if signal.time is None]
    if not waiting:
        action()
        return
    left = [len(waiting)]
    for signal in waiting:
        signal.then(partial(_count_down, left, action))


def _count_down(left: list[int], action: Callable[[], object]) -> None:
    left[0] -= 1
    if left[0] == 0:
        action()
