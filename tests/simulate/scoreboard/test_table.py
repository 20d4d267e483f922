from stretto.simulate.scoreboard.scoreboard import score
from stretto.simulate.scoreboard.table import head, markdown
from tests.simulate.scoreboard.published import row


def test_the_page_has_a_part_a_table_and_one_for_the_rest():
    board = score(
        [
            row(line=2),
            row(line=3, value="0.28", schedule="1F1B"),
            row(line=4, schedule="1F1B-I", model="1.5B"),
            row(line=5, table="times", metric="iteration_time", unit="us", value="33.1"),
            row(line=6, table="a|b", metric="MFU"),
            row(line=7, table="c", metric="MFU"),
        ],
        seconds=None,
    )
    page = markdown(board)
    assert page.startswith("6 rows: 3 scored, 2 of them within the bar; 1 excluded, 2 not predicted.\n\n## table: ")
    assert "\n2 rows scored, 1 within the bar; differences -0.0073 to +2.7e-05. 1 row excluded.\n" in page
    assert (
        "| 2 | any | 4 | 8 | 1F1B | 0.2727 | 0.272727 | +2.7e-05 | yes | idle share of the makespan of 1f1b |" in page
    )
    assert "| 3 | any | 4 | 8 | 1F1B | 0.28 | 0.272727 | -0.0073 | NO |" in page
    assert "ratio of ours to the published time 0.9970 to 0.9970" in page
    assert "| source | a\\|b, c | MFU | MFU needs a model of the device, not only of the schedule | 2 |" in page
    widths = {line.replace("\\|", "").count("|") for line in page.splitlines() if line.startswith("|")}
    assert widths == {11, 6}


def test_a_group_without_a_scored_row_says_so():
    excluded = score([row(schedule="interlaced")], seconds=None).scores
    assert head(excluded) == "No row is scored. 1 row excluded."
