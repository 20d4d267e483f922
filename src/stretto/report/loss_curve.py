"""The loss of a run as a picture: training and validation loss over tokens, with the time along the top.

Every step is drawn thinly and a running mean over a fortieth of the run boldly. The loss axis is
logarithmic where the losses span much, so that the first steps do not squeeze the rest together. Drawing takes about
a second, most of it loading matplotlib, whose global state is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.report.metrics import Losses, Point, read_losses
from stretto.spec.errors import StrettoError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SMOOTHED_SHARE = 40
_WIDE_RANGE = 3.0
_MARGIN = 1.03
_BLUE, _ORANGE, _GREY = "#1f6fb4", "#d1570a", "#666666"


def write_loss_curve(metrics: Path, picture: Path, title: str = "") -> None:
    """Draw the losses in a run's ``metrics.jsonl`` as a PNG.

    Args:
        metrics: the run's ``metrics.jsonl``.
        picture: where the PNG goes; replaced if it exists.
        title: a line above the picture.

    Raises:
        UserError: the metrics cannot be read.
        StrettoError: the picture cannot be written.
    """
    figure: Any = draw_losses(read_losses(metrics), title)
    part = picture.with_name(picture.name + ".part")
    try:
        figure.savefig(part, format="png", dpi=110)
        part.replace(picture)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StrettoError(f"{picture} cannot be written: {error.strerror or error}.") from None


def draw_losses(losses: Losses, title: str = "") -> Figure:
    """The picture of these losses, 8 by 4.8 inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_training(axes, losses.training)
    if losses.validation:
        _draw_validation(axes, losses.validation)
    _scale(axes, losses)
    _time_axis(axes, losses.training)
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.25)
    axes.spines["right"].set_visible(False)
    axes.legend(frameon=False)
    if title:
        figure.suptitle(title)
    return figure


def running_mean(values: Sequence[float], width: int) -> list[float]:
    """The mean of each value and its neighbours, `width` of them in all, evenly on both sides; linear time.

    Near an end there are as many neighbours on one side as the other side has, so that the curve does not lag.
    """
    sums = [0.0, *accumulate(values)]
    reach = (min(i, len(values) - 1 - i, width // 2) for i in range(len(values)))
    return [(sums[i + r + 1] - sums[i - r]) / (2 * r + 1) for i, r in enumerate(reach)]


def _draw_training(axes: Any, points: Sequence[Point]) -> None:
    tokens, losses = _millions(points), [point.loss for point in points]
    width = max(1, len(points) // _SMOOTHED_SHARE)
    axes.plot(tokens, losses, color=_BLUE, alpha=0.3, linewidth=0.8, marker="." if len(points) == 1 else None)
    label = f"training (mean of {width} lines)" if width > 1 else "training"
    axes.plot(tokens, running_mean(losses, width), color=_BLUE, linewidth=1.8, label=label)


def _draw_validation(axes: Any, points: Sequence[Point]) -> None:
    last = points[-1]
    style = {"color": _ORANGE, "marker": "o", "markersize": 4, "linewidth": 1.4}
    axes.plot(_millions(points), [p.loss for p in points], label=f"validation (last {last.loss:.3f})", **style)


def _scale(axes: Any, losses: Losses) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    every = [point.loss for point in (*losses.training, *losses.validation)]
    axes.set_xlabel("tokens (millions)")
    axes.set_xlim(0, _last_tokens(losses.training) * _MARGIN / 1e6)
    if min(every) > 0 and max(every) / min(every) > _WIDE_RANGE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 6, 8)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _time_axis(axes: Any, points: Sequence[Point]) -> None:
    """Time along the top: its ticks sit where the run was then, as tokens do not come at an even pace."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    last_s = max(point.elapsed_s for point in points)
    if last_s <= 0:
        return
    unit_s, unit = (1.0, "seconds") if last_s < 300 else (60.0, "minutes") if last_s < 3 * 3600 else (3600.0, "hours")
    ticks = [t for t in MaxNLocator(6).tick_values(0, last_s / unit_s) if 0 <= t <= last_s / unit_s]
    order = sorted((point.elapsed_s, point.tokens) for point in points)
    where = np.interp([t * unit_s for t in ticks], [0, *(t for t, _ in order)], [0, *(n for _, n in order)])
    top = axes.secondary_xaxis("top")
    top.set_xticks([float(n) / 1e6 for n in where], [f"{tick:g}" for tick in ticks])
    top.tick_params(colors=_GREY)
    top.set_xlabel(f"training time ({unit})", color=_GREY)


def _millions(points: Sequence[Point]) -> list[float]:
    return [point.tokens / 1e6 for point in points]


def _last_tokens(points: Sequence[Point]) -> float:
    return max((point.tokens for point in points), default=1.0) or 1.0
