"""Recorder: the spans of a real step, in the schema that simulations use.

Spans of asynchronous work run from its start to the moment that its result was needed, on the communication stream.
Recording costs two clock reads a span; a recorder that is off costs one comparison.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stretto.spec.trace import Span, Trace


class Recorder:
    """Collects the spans of one rank while it is on."""

    def __init__(self, rank: int) -> None:
        self.rank, self.on = rank, False
        self._start_s = time.perf_counter()
        self._spans: list[Span] = []

    def now_s(self) -> float:
        """Seconds since the recorder was made."""
        return time.perf_counter() - self._start_s

    @contextmanager
    def span(self, what: str, stream: str = "compute") -> Iterator[None]:
        """Record the time spent inside."""
        if not self.on:
            yield
            return
        start_s = self.now_s()
        yield
        self.add(what, stream, start_s)

    def add(self, what: str, stream: str, start_s: float) -> None:
        """Record a span from `start_s` (of `now_s`) until now."""
        if self.on:
            self._spans.append(Span(rank=self.rank, stream=stream, what=what, start_s=start_s, end_s=self.now_s()))

    def trace(self, config: str) -> Trace:
        """What was recorded; `config` is the digest of the run's configuration."""
        return Trace(source="measured", config=config, spans=tuple(self._spans))


def merged(traces: Sequence[Trace]) -> Trace:
    """The traces of several ranks as one."""
    spans = tuple(span for trace in traces for span in trace.spans)
    return Trace(source=traces[0].source, config=traces[0].config, spans=spans)
