import json
import time

import pytest

from stretto.simulate.scoreboard.scoreboard import PREDICTORS, Scoreboard, score
from stretto.spec.value import load
from tests.simulate.scoreboard.published import one, row, rows


@pytest.mark.slow
def test_every_row_is_scored_excluded_or_says_why_not():
    begin, done = time.monotonic(), []
    board = score(rows(), seconds=None, progress=done.append)
    assert sum(done) == len(board.scores) == len(rows())
    assert time.monotonic() - begin < 60  # 2 seconds on an idle machine
    assert [s for s in board.of("scored") if not s.met] == []
    assert len(board.of("scored")) >= 80
    assert len(board.of("excluded")) == 14
    unknown = [s for s in board.of("not predicted") if s.metric in PREDICTORS]
    assert all(s.reason == "searching was left out" or s.reason.startswith("no kind called") for s in unknown)


def test_rows_without_a_predictor_are_told_at_once():
    others = [found for found in rows() if found.metric not in PREDICTORS]
    done: list[int] = []
    board = score(others, progress=done.append)
    assert done == [1] * len(others)
    assert len(board.of("not predicted")) == len(others) == len({found.line for found in board.scores}) > 300
    assert all(found.metric in found.reason for found in board.scores)


def test_other_metrics_name_themselves():
    assert one(metric="throughput").reason == "throughput needs a model of the device, not only of the schedule"
    assert one(metric="bubble_formula").status == "not predicted"
    assert "no value to compare" in one(metric="bubble_formula").reason


def test_json_holds_everything():
    board = score([row(), row(metric="MFU")], seconds=None)
    assert load(Scoreboard, json.loads(board.to_json()), "") == board
    assert json.loads(board.to_json())["scores"][0]["ours"] == [pytest.approx(3 / 11)]
