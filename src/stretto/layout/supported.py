"""Which layouts can run, and why the others cannot."""

from __future__ import annotations

from dataclasses import dataclass

from stretto.spec.layout import AXES, Layout


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a layout cannot run, and the nearest one that can."""

    sentence: str
    nearest: Layout


def supported(layout: Layout) -> Reason | None:
    """None if training can run under `layout`, else the reason.

    Replication over `data` is what the training step executes; the other axes are refused here rather than ignored.
    """
    unknown = [axis for axis in AXES if axis != "data" and getattr(layout, axis) > 1]
    if not unknown:
        return None
    nearest = Layout(data=layout.ranks)
    axis = unknown[0]
    return Reason(
        f"layout.{axis} is {getattr(layout, axis)}; expected 1, since training replicates over layout.data only "
        f"(the nearest layout is layout.data = {nearest.data} alone).",
        nearest,
    )
