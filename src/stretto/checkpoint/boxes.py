"""Boxes: one half-open interval per dim of a tensor, and whether some of them tile it exactly.

The empty box () is the whole of a 0-d tensor. Tiling is decided without touching an element: boxes that lie inside
the shape, do not overlap and have its volume in sum leave no gap. Cost: a sort, and a comparison with the boxes that
start before another ends along the first dim. Torch-free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Box = tuple[tuple[int, int], ...]


def whole(shape: Sequence[int]) -> Box:
    """The box of a whole tensor."""
    return tuple((0, size) for size in shape)


def sizes(box: Box) -> tuple[int, ...]:
    """Its extent per dim."""
    return tuple(stop - start for start, stop in box)


def volume(box: Box) -> int:
    """Its number of elements."""
    return math.prod(sizes(box))


def common(a: Box, b: Box) -> Box | None:
    """The part that both cover; None where it has no element."""
    both = tuple((max(x[0], y[0]), min(x[1], y[1])) for x, y in zip(a, b, strict=True))
    return both if all(start < stop for start, stop in both) else None


def inside(box: Box, shape: Sequence[int]) -> bool:
    """Whether `box` has a dim for each of the shape's and lies within it."""
    return len(box) == len(shape) and all(
        0 <= start <= stop <= size for (start, stop), size in zip(box, shape, strict=True)
    )


def slices(box: Box, origin: Box) -> tuple[slice, ...]:
    """Where `box` lies in a tensor that stores `origin`."""
    return tuple(slice(b[0] - o[0], b[1] - o[0]) for b, o in zip(box, origin, strict=True))


def show(box: Box) -> str:
    """How a sentence names a box: ``[0:4, 2:6]``."""
    return "[" + ", ".join(f"{start}:{stop}" for start, stop in box) + "]"


def tiling_fault(shape: Sequence[int], boxes: Iterable[Box]) -> str | None:
    """Why `boxes` do not tile a tensor of `shape` exactly, as the end of a sentence; None where they do."""
    ordered = sorted(boxes)
    for box in ordered:
        if not inside(box, shape):
            return f"piece {show(box)} is outside its shape {tuple(shape)}"
    pair = _overlap(ordered)
    if pair is not None:
        return f"pieces {show(pair[0])} and {show(pair[1])} overlap"
    missing = math.prod(shape) - sum(volume(box) for box in ordered)
    return f"its pieces leave {missing} of {math.prod(shape)} elements uncovered" if missing else None


def _overlap(ordered: Sequence[Box]) -> tuple[Box, Box] | None:
    open_boxes: list[Box] = []
    for box in ordered:
        open_boxes = [other for other in open_boxes if not box or other[0][1] > box[0][0]]
        for other in open_boxes:
            if common(other, box) is not None:
                return other, box
        open_boxes.append(box)
    return None
