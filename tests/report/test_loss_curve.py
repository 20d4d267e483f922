import json
import math
import subprocess
import sys

import pytest

from stretto.report.loss_curve import draw_losses, running_mean, write_loss_curve
from stretto.report.metrics import Losses, Point
from stretto.spec.errors import StrettoError

TRAINING = tuple(Point(s, 1e4 * s, 0.5 * s, 2 + 6 * math.exp(-s / 20)) for s in range(1, 201))


def test_the_picture_is_a_png_and_leaves_nothing_else(tmp_path):
    lines = [{"step": p.step, "tokens": p.tokens, "elapsed_s": p.elapsed_s, "loss": p.loss} for p in TRAINING]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_loss_curve(tmp_path / "metrics.jsonl", tmp_path / "loss.png", "a run")
    picture = (tmp_path / "loss.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert 10_000 < len(picture) < 200_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loss.png", "metrics.jsonl"]


def test_axes_say_what_they_are_and_the_curves_hold_the_losses():
    validation = (Point(100, 1e6, 50, 2.5), Point(200, 2e6, 100, 2.1))
    figure = draw_losses(Losses(TRAINING, validation))
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("tokens (millions)", "loss (nats per token)")
    assert axes.get_yscale() == "log"
    thin, bold, validated = axes.get_lines()
    assert list(thin.get_ydata()) == [p.loss for p in TRAINING]
    assert list(validated.get_xdata()) == [1.0, 2.0]
    assert len(bold.get_ydata()) == len(TRAINING)
    assert [text.get_text() for text in axes.get_legend().get_texts()][1] == "validation (last 2.100)"


def test_the_top_axis_tells_the_time_at_which_the_tokens_came():
    slow_then_fast = tuple(Point(s, 1e6 * s, 10.0 * s if s <= 5 else 50 + (s - 5), 2.0) for s in range(1, 11))
    figure = draw_losses(Losses(slow_then_fast, ()))
    figure.draw_without_rendering()
    top = figure.axes[0].child_axes[0]
    assert top.get_xlabel() == "training time (seconds)"
    places = dict(zip([t.get_text() for t in top.get_xticklabels()], top.get_xticks(), strict=True))
    assert places["40"] == pytest.approx(4.0)


def test_one_step_can_be_drawn(tmp_path):
    figure = draw_losses(Losses(TRAINING[:1], ()))
    figure.savefig(tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_the_running_mean_is_even_on_both_sides():
    assert running_mean([1, 2, 3, 4, 5], 3) == [1, 2, 3, 4, 5]
    assert running_mean([0, 6, 0, 6, 0], 3) == [0, 2, 4, 2, 0]
    assert running_mean([], 3) == []


def test_a_folder_that_does_not_exist_is_told(tmp_path):
    line = {"step": 1, "tokens": 1, "elapsed_s": 1, "loss": 1}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(StrettoError, match="cannot be written"):
        write_loss_curve(tmp_path / "metrics.jsonl", tmp_path / "none" / "loss.png")


def test_matplotlibs_global_state_is_not_touched():
    program = (
        "import sys; from stretto.report.loss_curve import draw_losses;"
        "from stretto.report.metrics import Losses, Point;"
        "draw_losses(Losses((Point(1, 1, 1, 1), Point(2, 2, 2, 1)), ())); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
