"""Timeline: what every drawing of a run reads, whether the run was simulated or measured.

Its lanes are filled from the records and times themselves, never from a schedule's textbook order, so that a picture
cannot differ from what was executed. Building one costs a few microseconds a record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from stretto.simulate.simulation import Cause, Simulation
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Pair, Record, Vocabulary, passes_of
from stretto.spec.program_text import read_record, write_record
from stretto.spec.trace import Counter, Span, Trace

Kind: TypeAlias = Literal["F", "B", "I", "W", "E", "S", "T", "G", "memory", "state", "other"]
KINDS: Final[dict[Kind, str]] = {
    "F": "forward",
    "B": "backward",
    "I": "input gradient",
    "W": "weight gradient",
    "E": "embedding",
    "S": "output and softmax",
    "T": "output gradient",
    "G": "embedding gradient",
    "memory": "activations moved or recomputed",
    "state": "parameters",
    "other": "other",
}
"""What a bar can be, in the order of legends."""


class Part(NamedTuple):
    """What a bar does; a pair does two things at once. A number that the record does not have is -1."""

    kind: Kind
    stage: int = -1
    microbatch: int = -1
    slice: int = 0
    copy: int = 0
    chunk: int = 0
    """The place of (copy, stage) among those of its lane."""


class Bar(NamedTuple):
    """A record that took from `start` to `end`."""

    start: float
    end: float
    text: str
    """The record, as `spec.program_text` writes it."""
    parts: tuple[Part, ...]
    """One; two for a pair, its forward first."""
    idle: float = 0.0
    """How long the lane stood idle just before."""
    cause: Cause | None = None
    """Why it did, where that is known."""
    waited_for: str = ""
    """The record that it waited for: ``F2.5 on rank 2``; empty for none or unknown."""

    @property
    def is_pass(self) -> bool:
        """Whether the bar computes, so that its time is not a bubble."""
        return self.parts[0].kind not in ("memory", "state", "other")


class Lane(NamedTuple):
    """A row of the picture."""

    label: str
    bars: tuple[Bar, ...]
    """By start."""
    memory: tuple[tuple[float, float], ...] = ()
    """(time, level from then on), times ascending."""
    causes: Mapping[Cause, float] = MappingProxyType({})
    """The idle time by cause, where it is known."""

    @property
    def span(self) -> float:
        """From the start of the first bar to the end of the last."""
        return max(bar.end for bar in self.bars) - self.bars[0].start if self.bars else 0.0

    @property
    def busy(self) -> float:
        """The time inside passes."""
        return sum(bar.end - bar.start for bar in self.bars if bar.is_pass)

    @property
    def computes(self) -> bool:
        """Whether it holds passes."""
        return any(bar.is_pass for bar in self.bars)

    @property
    def peak(self) -> float:
        """The highest level of `memory`."""
        return max((level for _, level in self.memory), default=0.0)


@dataclass(frozen=True)
class Timeline:
    """What happened on every rank, from time 0."""

    title: str
    lanes: tuple[Lane, ...]
    unit: str = ""
    """The unit of times: ``s``; empty for that of the costs."""
    memory_unit: str = ""
    """The unit of `Lane.memory`: ``bytes``; empty for microbatches on one rank."""
    transfers: int | None = None
    """Messages between ranks, where they were counted."""
    lower_bound: float | None = None
    """A makespan that no program with the same placement and costs can beat, where it is known."""
    measured: bool = field(default=False)
    """Whether this happened on a machine."""

    @cached_property
    def makespan(self) -> float:
        """From 0 to the end of the last bar."""
        return max((bar.end for lane in self.lanes for bar in lane.bars), default=0.0)

    @cached_property
    def chunks(self) -> int:
        """The most (copy, stage) pairs that a lane holds."""
        return 1 + max((p.chunk for lane in self.lanes for bar in lane.bars for p in bar.parts), default=0)

    @cached_property
    def microbatches(self) -> int:
        """One more than the highest microbatch."""
        return 1 + max((p.microbatch for lane in self.lanes for bar in lane.bars for p in bar.parts), default=-1)

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that occur, in the legend's order."""
        found = {part.kind for lane in self.lanes for bar in lane.bars for part in bar.parts}
        return tuple(kind for kind in KINDS if kind in found)

    @cached_property
    def bubble_rate_makespan(self) -> float:
        """1 - time inside passes / (lanes with passes x makespan); 0 where nothing computes."""
        return self._bubble(self.makespan)

    @cached_property
    def bubble_rate_span(self) -> float:
        """1 - time inside passes / (lanes with passes x longest span of a lane); 0 where nothing computes."""
        return self._bubble(max((lane.span for lane in self.computing), default=0.0))

    @cached_property
    def computing(self) -> tuple[Lane, ...]:
        """The lanes that hold passes."""
        return tuple(lane for lane in self.lanes if lane.computes)

    def _bubble(self, length: float) -> float:
        whole = len(self.computing) * length
        return 1 - sum(lane.busy for lane in self.computing) / whole if whole else 0.0


def from_simulation(simulation: Simulation, title: str = "", unit: str = "") -> Timeline:
    """The timeline of a program's run in virtual time.

    Args:
        simulation: what happened.
        title: a line above the picture; empty: the program's kind and sizes.
        unit: the unit of the costs' times, where it is known.
    """
    program = simulation.program
    lanes: list[Lane] = []
    for rank, pieces in enumerate(simulation.pieces):
        part = _parts(piece.record for piece in pieces)
        bars = (
            Bar(p.start, p.end, write_record(p.record), part(p.record), p.idle, p.cause, p.waited_for) for p in pieces
        )
        lanes.append(Lane(f"rank {rank}", tuple(bars), tuple(simulation.memory[rank]), simulation.causes[rank]))
    sizes = f"{_several(len(program.ranks), 'rank')}, {_several(program.microbatches, 'microbatch', 'es')}"
    return Timeline(
        title=title or (f"{program.kind}, {sizes}" if program.kind else sizes),
        lanes=tuple(lanes),
        unit=unit,
        transfers=simulation.transfers,
        lower_bound=simulation.lower_bound,
    )


def from_trace(trace: Trace, title: str = "", counter: str = "") -> Timeline:
    """The timeline of a measured or simulated trace, its first span at 0.

    A rank has a lane for each of its streams. Spans whose name is no record are kept as they are.

    Args:
        trace: spans and counters.
        title: a line above the picture; empty: where the trace comes from.
        counter: the counter that is drawn as memory; empty: the first whose name speaks of memory.

    Raises:
        UserError: the trace holds no span, or no counter of that name.
    """
    if not trace.spans:
        raise UserError("the trace holds no span; nothing can be drawn.")
    begin = min(span.start_s for span in trace.spans)
    memory = _memory(trace.counters, counter, begin)
    streams: dict[int, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for span in trace.spans:
        streams[span.rank][span.stream].append(span)
    lanes: list[Lane] = []
    for rank in sorted(streams):
        for number, (stream, spans) in enumerate(_computing_first(streams[rank])):
            label = f"rank {rank}" if number == 0 else f"rank {rank} {stream}"
            lanes.append(Lane(label, _bars(spans, begin), memory.get(rank, ()) if number == 0 else ()))
    name = _memory_name(trace.counters, counter)
    return Timeline(
        title=title or f"{trace.source} run" + (f" {trace.config}" if trace.config else ""),
        lanes=tuple(lanes),
        unit="s" if trace.source == "measured" else "",
        memory_unit="bytes" if "bytes" in name else "",
        measured=trace.source == "measured",
    )


def _several(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}" + ("" if count == 1 else plural)


def _parts(records: Iterable[Record | None]) -> Callable[[Record | None], tuple[Part, ...]]:
    """How a lane with these records writes each as parts."""
    held: set[tuple[int, int]] = set()
    for record in records:
        for part in passes_of(record) if record else ():
            if isinstance(part, Compute):
                held.add((part.copy, part.stage))
    chunk = {place: number for number, place in enumerate(sorted(held))}

    def parts(record: Record | None) -> tuple[Part, ...]:
        if record is None:
            return (Part("other"),)
        if isinstance(record, Pair):
            return (*parts(record.forward), *parts(record.backward))
        if isinstance(record, Compute):
            kind, stage, microbatch, piece, copy, _ = record
            return (Part(kind, stage, microbatch, piece, copy, chunk[copy, stage]),)
        if isinstance(record, Vocabulary):
            return (Part(record.kind, -1, record.microbatch, record.slice, record.copy),)
        if isinstance(record, Memory):
            place = chunk.get((record.copy, record.stage), 0)
            return (Part("memory", record.stage, record.microbatch, record.slice, record.copy, place),)
        return (Part("state", record.stage, -1, 0, record.copy, chunk.get((record.copy, record.stage), 0)),)

    return parts


def _bars(spans: Sequence[Span], begin: float) -> tuple[Bar, ...]:
    ordered = sorted(spans, key=lambda span: (span.start_s, span.end_s))
    records = [_record(span.what) for span in ordered]
    parts = _parts(records)
    bars: list[Bar] = []
    end = 0.0
    for span, record in zip(ordered, records, strict=True):
        start = span.start_s - begin
        bars.append(Bar(start, span.end_s - begin, span.what, parts(record), max(0.0, start - end)))
        end = max(end, span.end_s - begin)
    return tuple(bars)


def _record(text: str) -> Record | None:
    try:
        return read_record(text)
    except UserError:
        return None


def _computing_first(streams: Mapping[str, list[Span]]) -> list[tuple[str, list[Span]]]:
    return sorted(streams.items(), key=lambda item: (item[0] != "compute", item[0]))


def _memory_name(counters: Sequence[Counter], asked: str) -> str:
    names = sorted({counter.name for counter in counters})
    if asked and asked not in names:
        raise UserError(f"the trace has no counter {asked!r}; it has {', '.join(names) or 'none'}.")
    speaking = [name for name in names if any(word in name for word in ("memory", "activation", "stored"))]
    return asked or next(iter(speaking), "")


def _memory(counters: Sequence[Counter], asked: str, begin: float) -> dict[int, tuple[tuple[float, float], ...]]:
    name = _memory_name(counters, asked)
    levels: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for counter in sorted(counters, key=lambda counter: counter.time_s):
        if counter.name == name:
            levels[counter.rank].append((counter.time_s - begin, counter.value))
    return {rank: tuple(steps) for rank, steps in levels.items()}
