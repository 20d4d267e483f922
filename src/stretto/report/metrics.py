"""What a run wrote down about its steps: ``metrics.jsonl``, one JSON object a line.

A training line has ``step tokens elapsed_s loss lr grad_norm tokens_per_s peak_share``; a validation line has
``step tokens elapsed_s validation_loss``. A run that went on from a checkpoint may have written a step twice: the
later line counts. A last line that a killed process left half written is left out.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from stretto.spec.errors import UserError


@dataclass(frozen=True, slots=True)
class Point:
    """A loss in nats per token, at a step."""

    step: int
    tokens: float
    elapsed_s: float
    loss: float


@dataclass(frozen=True, slots=True)
class Losses:
    """The training and validation losses of a run, by step; what is no finite number is left out."""

    training: tuple[Point, ...]
    validation: tuple[Point, ...]


def read_losses(path: Path) -> Losses:
    """Read the losses from a run's ``metrics.jsonl``.

    Raises:
        UserError: the file is missing, a line of it is no metrics line, or it has no training step.
    """
    lines = _lines(path)
    losses = Losses(_points(lines, "loss", path), _points(lines, "validation_loss", path))
    if not losses.training:
        raise UserError(f"{path} holds no training step with a finite loss.")
    return losses


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        texts = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; expected the metrics.jsonl of a run.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as metrics: {error}.") from None
    if texts and not texts[-1].endswith("\n"):
        texts.pop()
    return [_line(text, number, path) for number, text in enumerate(texts, 1)]


def _line(text: str, number: int, path: Path) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        line = None
    if not isinstance(line, dict) or "step" not in line:
        raise UserError(f"{path} is damaged at line {number}: expected a JSON object with a step.")
    return cast("dict[str, Any]", line)


def _points(lines: list[dict[str, Any]], name: str, path: Path) -> tuple[Point, ...]:
    by_step: dict[int, Point] = {}
    for line in lines:
        if name not in line:
            continue
        try:
            loss = float("nan") if line[name] is None else float(line[name])
            point = Point(int(line["step"]), float(line["tokens"]), float(line["elapsed_s"]), loss)
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path} is damaged at step {line['step']}: a number is missing or is none.") from None
        by_step[point.step] = point
    return tuple(by_step[step] for step in sorted(by_step) if math.isfinite(by_step[step].loss))
