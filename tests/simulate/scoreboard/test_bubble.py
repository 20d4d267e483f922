import pytest

from stretto.simulate.scoreboard.bubble import bubble
from stretto.simulate.scoreboard.models import Size, size
from stretto.spec.errors import UserError
from tests.simulate.scoreboard.published import one, row, rows, scored


@pytest.mark.parametrize(("table", "count"), [("T5+T9", 18), ("T8", 9)])
def test_published_rates_of_handcrafted_schedules_to_their_last_digit(table, count):
    scores = scored("bubble_rate", table, {"1F1B", "ZB-H1", "ZB-H2"})
    assert len(scores) == count
    assert [score for score in scores if score.status != "scored" or abs(score.difference) > 5e-5] == []
    assert all(score.met for score in scores)


def test_interleaved_rates_are_shown_and_excluded_by_name():
    scores = scored("bubble_rate", schedules={"1F1B-I"})
    assert len(scores) == 9
    assert {score.status for score in scores} == {"excluded"}
    assert {score.met for score in scores} == {None}
    assert all(0 < score.difference < 0.006 and "dependency of rank 0" in score.reason for score in scores)
    assert scores[0].ours[0] == pytest.approx(0.1090, abs=5e-5)


@pytest.mark.parametrize(("metric", "count"), [("bubble_makespan", 27), ("bubble", 5)])
def test_unit_times_are_exact(metric, count):
    scores = scored(metric)
    assert len(scores) == count
    assert [score for score in scores if score.status != "scored" or abs(score.difference) > 1e-9] == []


def test_rows_of_kinds_that_exist_here_are_exact():
    scores = [s for s in (*scored("bubble_span"), *scored("bubble_rate", "basic unit N=D")) if "kind" not in s.reason]
    assert [score for score in scores if not score.met] == []


@pytest.mark.parametrize("schedule", ["V-Half", "V-Min"])
def test_our_bubble_is_no_larger_than_that_of_the_authors_greedy_order(schedule):
    scores = [found for found in scored("bubble_span", schedules={schedule}) if found.status == "scored"]
    assert [found for found in scores if found.difference > 1e-9] == []
    usual = {"schedule": schedule, "m": "12", "metric": "bubble_span", "unit": "chunk-F units"}
    less = one(**usual, value="1")
    assert less.met is (False if less.status == "scored" else None)


def test_a_wrong_figure_is_not_met():
    assert one().met
    assert not one(value="0.28").met
    assert one(value="0.28").difference == pytest.approx(3 / 11 - 0.28)


def test_without_tw_tb_is_the_whole_backward():
    assert one(tb=(2.0,), tw=()).ours == one().ours


def test_chunk_units_are_twice_a_ranks_share():
    whole = one(schedule="ZBVZeroBubble v=2", metric="bubble_makespan", value="1.5", unit="F units")
    chunk = one(schedule="ZBVZeroBubble v=2", metric="bubble_makespan", value="3", unit="chunk-F units")
    assert whole.met
    assert chunk.met


def test_a_kind_of_ours_is_known_by_its_own_name():
    assert one(schedule="gpipe").ours == one().ours


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"schedule": "Flying 1F1B"}, "no kind called 'Flying 1F1B'"),
        ({"p": "p"}, "the row gives no number for p, but 'p'"),
        ({"m": ""}, "the row gives no number for m, but ''"),
        ({"value": ""}, "the row has no value"),
        ({"tf": ()}, "the row gives no times of its passes (tf, tb)"),
        ({"tf": (1.0, 2.0)}, "costs.forward is [1.0, 2.0]; expected one number, or 4 of them."),
        ({"p": "1000", "m": "2000"}, "1000 ranks x 2000 microbatches are more than 1,000,000 forwards"),
        ({"p": "9" * 40}, f"{'9' * 40} ranks x 8 microbatches are more than 1,000,000 forwards"),
        ({"schedule": "ZB-1p"}, "searching was left out"),
        ({"schedule": "1F1B-I"}, "the memory of a model called 'any' is not known"),
        ({"schedule": "DualPipe", "p": "3"}, "ranks"),
        ({"tf": (1e308,), "tb": (1e308,)}, "expected at most 1000000000000000000"),
    ],
)
def test_what_is_not_predicted_says_why(fields, reason):
    score = one(**fields)
    assert (score.status, score.ours, score.difference) == ("not predicted", (), None)
    assert reason in score.reason


def test_memory_sizes_come_from_the_name_or_the_note():
    assert size(row(model="1.5B")).weight_activation == pytest.approx(32 * 2304 / (34 * 2304 + 5 * 24 * 1024))
    told = size(row(model="new", note="A100; layers 22, heads 24, hidden 2304, seq 2048"))
    assert told == Size(22, 24, 2304, 2048)
    named = {found.model for found in rows() if found.metric == "bubble_rate" and found.table != "basic unit N=D"}
    assert all(size(row(model=model)) for model in named)
    with pytest.raises(UserError, match="a model called 'new' is not known"):
        size(row(model="new"))


def test_a_search_needs_to_know_its_cap():
    with pytest.raises(UserError, match="says no memory cap"):
        bubble(row(schedule="ZB-auto", model="1.5B"), 0.1)
