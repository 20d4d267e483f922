import pytest

from tests.simulate.scoreboard.published import one, rows, scored

PLAIN = {"baseline 1F1B", "1F1B + layer redistribution"}
SHARED = {"Vocab-1 (two barriers)", "Vocab-2 (one barrier)"}


def test_plain_steps_take_the_measured_time_to_two_percent():
    scores = scored("iteration_time", schedules=PLAIN)
    assert len(scores) == 8
    assert [score for score in scores if not 0.98 <= score.ratio <= 1.02 or not score.met] == []
    assert scores[0].ours[0] == pytest.approx(8129.5, abs=0.1)


def test_steps_with_a_shared_vocabulary_take_the_measured_time_to_five_percent():
    scores = scored("iteration_time", schedules=SHARED)
    assert len(scores) == 8
    assert [score for score in scores if not 0.95 <= score.ratio <= 1.05 or not score.met] == []


def test_interlaced_passes_are_excluded_by_name():
    scores = scored("iteration_time", schedules={"interlaced"})
    assert [(score.status, score.ours) for score in scores] == [("excluded", ())] * 4
    assert all("no kind here" in score.reason for score in scores)


@pytest.mark.parametrize(("unit", "value"), [("us", "33"), ("ms", "0.033"), ("s", "0.000033")])
def test_units(unit, value):
    score = one(metric="iteration_time", unit=unit, value=value)
    assert score.ratio == pytest.approx(1.0)
    assert score.met


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"unit": "hours"}, "the unit of the time is 'hours', none of us, ms, s"),
        ({"schedule": "Vocab-1"}, "the row's note gives no times of output-layer S+T"),
        ({"schedule": "ZB-2p"}, "the time of a searched schedule depends on what the search was for"),
        (
            {"schedule": "Vocab-1", "note": "output-layer S+T: 1.1.1; input fwd: 1; input bwd: 1"},
            "the row's note gives times that are no numbers: 1.1.1",
        ),
        (
            {"schedule": "Vocab-1", "note": "output-layer S+T: 1|2|1|2; input fwd: 1; input bwd: 1"},
            "costs.embed_forward is [1.0]; expected one number, or 4 of them.",
        ),
    ],
)
def test_what_is_not_predicted_says_why(fields, reason):
    score = one(**{"metric": "iteration_time", "unit": "ms", **fields})
    assert score.status == "not predicted"
    assert reason in score.reason


def test_every_measured_row_is_looked_at():
    assert sum(row.metric == "iteration_time" for row in rows()) == 8 + 8 + 4
