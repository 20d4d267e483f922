import pytest

from stretto.simulate.scoreboard.scoreboard import score
from tests.simulate.scoreboard.published import row, rows


def searched(seconds, **fields):
    [found] = score([row(**{"model": "1.5B", **fields})], seconds=seconds).scores
    return found


def test_a_small_search_keeps_to_its_cap_and_is_no_worse_than_the_handcrafted_schedule():
    found = searched(0.05, schedule="ZB-1p", value="0.2")
    assert found.status == "scored"
    assert found.ours[0] <= 3 / 27 + 1e-9
    assert "for at most 1 p microbatches (h=2304, a=24, s=1024)" in found.reason
    assert found.met


def test_fewer_idle_ranks_than_published_is_within_the_bar_and_more_is_not():
    assert searched(0.05, schedule="ZB-2p", value="0.9").met
    assert not searched(0.05, schedule="ZB-1p", value="0.0").met


def test_the_cap_is_the_notes_where_it_says_one():
    caps = (f"M_limit={cap}*p*M_B" for cap in ("1.0", "2.0"))
    tight, wide = (searched(0.05, schedule="ZB-auto", note=cap, value="0.1") for cap in caps)
    assert wide.ours[0] < tight.ours[0]
    assert "at most 2 p" in wide.reason


def test_a_cap_below_every_schedule_is_said():
    found = searched(0.05, schedule="ZB-auto", note="M_limit=0.01*p*M_B")
    assert found.status == "not predicted"
    assert "memory_cap" in found.reason


def test_other_metrics_of_searched_schedules_are_left_out():
    found = searched(0.05, schedule="ZB-V", metric="bubble_makespan", value="1")
    assert found.reason == "bubble_makespan of a searched schedule depends on what the search was for"


@pytest.mark.slow
def test_published_searched_rates_on_eight_ranks():
    wanted = [r for r in rows() if r.table == "T5+T9" and r.p == "8" and r.schedule in ("ZB-1p", "ZB-2p")]
    assert len(wanted) == 6
    scores = score(wanted, seconds=5).scores
    assert [found for found in scores if not found.met] == []
