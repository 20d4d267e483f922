"""Links: how long messages are under way, alone and when they share a wire.

A message of `size` bytes needs ``size / bandwidth`` on the wire, and its latency after that. With fair sharing n
messages under way at once have the n-th part of the bandwidth each (processor sharing), and all are timed anew when one
comes or goes. As all have the same share, the bytes that each has had since the wire was last idle are one number, and
a message is over when that number has grown by its size: a message costs the logarithm of those under way, not their
number.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import Literal, NamedTuple, TypeAlias

from stretto.simulate.kernel import Kernel, Signal

Contention: TypeAlias = Literal["none", "fair", "serial"]
"""Messages do not feel each other; share the bandwidth equally; or take turns, first come first served."""


class _Flow(NamedTuple):
    over_at: float
    """The bytes that every message has had when this one has had all of its own."""
    number: int
    latency: float
    arrived: Signal


class Link:
    """A wire with a bandwidth in bytes per unit of time."""

    def __init__(self, kernel: Kernel, bandwidth: float = math.inf, contention: Contention = "fair") -> None:
        self._kernel, self._bandwidth = kernel, bandwidth
        self._contention: Contention = "none" if math.isinf(bandwidth) else contention
        self._free_at = 0.0
        self._flows: list[_Flow] = []
        self._had, self._since = 0.0, 0.0
        self._sent = 0
        self._next: int | None = None

    def send(self, size: float, latency: float = 0.0) -> Signal:
        """Send `size` bytes now; the signal fires when the last of them has arrived."""
        arrived = Signal()
        if self._contention == "fair":
            self._join(size, latency, arrived)
            return arrived
        now = self._kernel.now
        begin = max(now, self._free_at) if self._contention == "serial" else now
        self._free_at = begin + size / self._bandwidth
        self._deliver(self._free_at + latency, arrived)
        return arrived

    def _deliver(self, time: float, arrived: Signal) -> None:
        self._kernel.at(time, arrived.fire, time)

    def _join(self, size: float, latency: float, arrived: Signal) -> None:
        now = self._kernel.now
        if self._flows:
            self._had += (now - self._since) * self._bandwidth / len(self._flows)
        self._since = now
        heappush(self._flows, _Flow(self._had + size, self._sent, latency, arrived))
        self._sent += 1
        self._retime()

    def _retime(self) -> None:
        if self._next is not None:
            self._kernel.cancel(self._next)
        left = max(0.0, self._flows[0].over_at - self._had)
        self._next = self._kernel.after(left * len(self._flows) / self._bandwidth, self._leave)

    def _leave(self) -> None:
        self._next = None
        self._had, self._since = self._flows[0].over_at, self._kernel.now
        while self._flows and self._flows[0].over_at <= self._had:
            flow = heappop(self._flows)
            self._deliver(self._kernel.now + flow.latency, flow.arrived)
        if self._flows:
            self._retime()
        else:
            self._had = 0.0
