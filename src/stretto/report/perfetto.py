"""A Trace for the eye: the Chrome trace event format, which ui.perfetto.dev and chrome://tracing open.

A rank is a process, a stream one of its threads, a span a complete event, a counter a counter track. Times become
microseconds. Source: "Trace Event Format", the Chromium project's document.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stretto.report.writing import write_whole
from stretto.spec.trace import Trace


def write_perfetto(trace: Trace, path: Path) -> None:
    """Write `trace` as a file for ui.perfetto.dev.

    Raises:
        StrettoError: the file cannot be written.
    """
    write_whole(json.dumps(perfetto(trace)), path)


def perfetto(trace: Trace) -> dict[str, Any]:
    """The JSON object of a trace: names first, then spans and counters in time order."""
    streams = sorted({(span.rank, span.stream) for span in trace.spans})
    threads = {stream: number for number, stream in enumerate(streams, 1)}
    ranks = sorted({rank for rank, _ in streams} | {counter.rank for counter in trace.counters})
    spans = [
        {
            "ph": "X",
            "name": span.what,
            "pid": span.rank,
            "tid": threads[span.rank, span.stream],
            "ts": span.start_s * 1e6,
            "dur": (span.end_s - span.start_s) * 1e6,
        }
        for span in trace.spans
    ]
    counters = [
        {"ph": "C", "name": c.name, "pid": c.rank, "ts": c.time_s * 1e6, "args": {c.name: c.value}}
        for c in trace.counters
    ]
    names = [_name("process_name", rank, 0, f"rank {rank}") for rank in ranks]
    names += [_name("thread_name", rank, threads[rank, stream], stream) for rank, stream in streams]
    return {
        "traceEvents": [*names, *sorted([*spans, *counters], key=lambda event: event["ts"])],
        "displayTimeUnit": "ms",
        "otherData": {"source": trace.source, "config": trace.config, "format": trace.format},
    }


def _name(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}
