import json

import pytest

from stretto.report.perfetto import perfetto, write_perfetto
from stretto.spec.errors import StrettoError
from stretto.spec.trace import Counter, Span, Trace

TRACE = Trace(
    source="measured",
    config="abc",
    spans=(
        Span(rank=1, stream="compute", what="B0.0", start_s=0.003, end_s=0.0045),
        Span(rank=0, stream="compute", what="F0.0", start_s=0.001, end_s=0.002),
        Span(rank=0, stream="network", what="reduce0", start_s=0.002, end_s=0.003),
    ),
    counters=(Counter(rank=1, name="memory_bytes", time_s=0.0025, value=7),),
)


def test_spans_become_complete_events_in_microseconds_and_time_order():
    events = [event for event in perfetto(TRACE)["traceEvents"] if event["ph"] != "M"]
    assert [(e["name"], e["ts"]) for e in events] == [
        ("F0.0", pytest.approx(1000)),
        ("reduce0", pytest.approx(2000)),
        ("memory_bytes", pytest.approx(2500)),
        ("B0.0", pytest.approx(3000)),
    ]
    assert events[3]["dur"] == pytest.approx(1500)
    assert events[2]["args"] == {"memory_bytes": 7}


def test_every_rank_and_stream_has_a_name():
    events = perfetto(TRACE)["traceEvents"]
    ranks = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    streams = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert ranks == {0: "rank 0", 1: "rank 1"}
    assert sorted(streams.values()) == ["compute", "compute", "network"]
    assert {(e["pid"], e["tid"]) for e in events if e["ph"] == "X"} == set(streams)


def test_the_file_is_json_and_a_missing_folder_is_told(tmp_path):
    write_perfetto(TRACE, tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text())["otherData"]["config"] == "abc"
    with pytest.raises(StrettoError, match="cannot be written"):
        write_perfetto(TRACE, tmp_path / "none" / "trace.json")
