"""The figures that stand over a drawn timeline, as words: makespan, bubble rates, peak, messages.

Both bubble rates are told, for published tables use either: over the whole makespan, and over the longest span of a
rank (Qi et al. 2023, Zero Bubble, section 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from stretto.report.timeline import Timeline


def figures(timeline: Timeline) -> Iterator[tuple[str, str]]:
    """(name, value) of every figure that the timeline knows."""
    unit = f" {timeline.unit}" if timeline.unit else ""
    yield "makespan", f"{timeline.makespan:.5g}{unit}"
    if timeline.lower_bound:
        yield "above its lower bound", f"{round(100 * (timeline.makespan / timeline.lower_bound - 1), 4):.3g} %"
    if timeline.computing:
        yield "bubble (makespan)", f"{100 * timeline.bubble_rate_makespan:.1f} %"
        yield "bubble (longest span)", f"{100 * timeline.bubble_rate_span:.1f} %"
    if any(lane.memory for lane in timeline.lanes):
        yield "peak memory", memory_text(max(lane.peak for lane in timeline.lanes), timeline.memory_unit)
    if timeline.transfers is not None:
        yield "messages", f"{timeline.transfers:,}"


def memory_scales(timelines: Sequence[Timeline]) -> dict[str, float]:
    """Per unit of memory the highest level of timelines that are drawn together."""
    scales: dict[str, float] = {}
    for timeline in timelines:
        peak = max((lane.peak for lane in timeline.lanes), default=0.0)
        scales[timeline.memory_unit] = max(peak, scales.get(timeline.memory_unit, 0.0))
    return scales


def memory_text(level: float, unit: str) -> str:
    """A level of memory for people; bytes in GiB, MiB or KiB."""
    if unit != "bytes":
        return f"{level:.4g}" + (f" {unit}" if unit else "")
    for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if level >= 1024**power:
            return f"{level / 1024**power:.3g} {name}"
    return f"{level:.0f} bytes"


def nice_step(length: float, most: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that divides `length` into at most `most` parts."""
    if length <= 0:
        return 1.0
    least = length / max(most, 1)
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def ticks(length: float, most: int) -> Iterator[float]:
    """Round times from 0 to `length`, at most `most` + 1 of them."""
    step = nice_step(length, most)
    for number in range(math.floor(length / step + 1e-9) + 1):
        yield number * step
