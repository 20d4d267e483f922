"""The colours of all drawings: a hue for what is done, a shade for the chunk it is done for.

Hues differ in lightness and in blue against yellow too, so that people with any colour blindness can tell them apart
(after Okabe and Ito, "Color universal design"). Every colour is readable on white and on black; what is written on
it is black or white, whichever has more contrast (WCAG 2.2's relative luminance).
"""

from __future__ import annotations

from typing import Final

from stretto.report.timeline import Kind
from stretto.simulate.simulation import Cause

HUES: Final[dict[Kind, str]] = {
    "F": "#2f6fb7",
    "B": "#d2622a",
    "I": "#e8a33d",
    "W": "#2f9e86",
    "E": "#5b5ea6",
    "S": "#8b4f9f",
    "T": "#c678b4",
    "G": "#8a6f52",
    "memory": "#9aa3ad",
    "state": "#6b7480",
    "other": "#b3a78f",
}
CAUSES: Final[dict[Cause, str]] = {
    "dependency": "#8d99a6",
    "transfer": "#4aa8d8",
    "memory": "#b0578d",
    "imbalance": "#d8b93f",
    "synchronisation": "#6e5bb0",
}
_SHADE_STEPS: Final = 4
_LIGHTEST: Final = 0.52


def shade_of(chunk: int, chunks: int) -> int:
    """The number of the shade of one of so many chunks, from 0; chunks beyond the fourth begin again."""
    return chunk % min(max(chunks, 1), _SHADE_STEPS)


def colour(kind: Kind, shade: int, chunks: int) -> str:
    """The colour of a kind in one of the shades that so many chunks need, as ``#rrggbb``; later shades are lighter."""
    shades = min(max(chunks, 1), _SHADE_STEPS)
    mix = _LIGHTEST * shade / max(shades - 1, 2)
    return "#" + "".join(f"{round(c + (255 - c) * mix):02x}" for c in channels(HUES[kind]))


def shades(chunks: int) -> range:
    """The numbers of the shades that so many chunks need."""
    return range(min(max(chunks, 1), _SHADE_STEPS))


def ink(background: str) -> str:
    """What to write with on a colour: white or nearly black."""
    light = _luminance(background)
    return "#ffffff" if 1.05 / (light + 0.05) >= (light + 0.05) / 0.056 else "#14181d"


def channels(text: str) -> tuple[int, int, int]:
    """Red, green and blue of a ``#rrggbb``, from 0 to 255."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _luminance(text: str) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in channels(text))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
