"""Trace: what happened when, in one schema for real and simulated runs.

A span is something that a rank did on one of its streams; a counter is a number at a moment. Times are seconds from
the trace's own start.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stretto.spec.value import Value


class Span(Value):
    """Something that took time: ``what`` is a record's name, such as ``F0.3``, or a collective's."""

    rank: int = Field(ge=0)
    stream: str
    what: str
    start_s: float
    end_s: float


class Counter(Value):
    """A number at a moment, such as bytes in use."""

    rank: int = Field(ge=0)
    name: str
    time_s: float
    value: float


class Trace(Value):
    """Spans and counters of one run, with the digest of the configuration that made it."""

    format: Literal["stretto.trace/1"] = "stretto.trace/1"
    source: Literal["measured", "simulated"]
    config: str = ""
    spans: tuple[Span, ...] = ()
    counters: tuple[Counter, ...] = ()
