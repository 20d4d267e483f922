import pytest

from stretto.simulate.scoreboard.rows import COLUMNS, read_rows
from stretto.spec.errors import UserError
from tests.simulate.scoreboard.published import file, rows

GOOD = "s,t,1.5B,8,24,1F1B,18.5,18.0,9.3,0.6,bubble_rate,0.2431,fraction,a note"


def test_every_row_of_the_repository_is_read():
    assert len(rows()) == 590
    vectors = [row for row in rows() if len(row.tf) > 1]
    assert len(vectors) == 20
    assert {len(row.tf) for row in vectors} == {8}
    assert vectors[0].tf[7] == 24152
    assert {row.p for row in rows() if not row.p.isdigit()} == {"p", "d", "PP", "grid", ""}


def test_cells_may_be_empty_quoted_or_formulas(tmp_path):
    lines = ("", "s,t,,p,m,V-Min,,,,,peak_activation_exact,floor((p+4)/3),M_B,", 's,"a, b",,,,X,1|2,,,,claim,x,,')
    first, second = read_rows(file(tmp_path / "rows.csv", *lines))
    assert (first.line, first.p, first.tf, first.value) == (3, "p", (), "floor((p+4)/3)")
    assert (second.table, second.tf, second.tcomm) == ("a, b", (1.0, 2.0), ())


def test_columns_may_come_in_any_order_with_others_between(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join((",".join((*reversed(COLUMNS), "more")), ",".join((*reversed(GOOD.split(",")), "x")))))
    [row] = read_rows(path)
    assert (row.p, row.m, row.tf, row.note) == ("8", "24", (18.5,), "a note")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("18.5", "18.x", "line 3: tf is '18.x'; expected a number."),
        ("18.0", "1|nan", "line 3: tb is 'nan'; expected a number."),
        ("9.3", "-9.3", "line 3: tw is '-9.3'; expected times of at least 0."),
        ("0.6", "1||2", "line 3: tcomm is ''; expected a number."),
        ("0.2431", "a lot", "line 3: value is 'a lot'; expected a number."),
        (",8,", ",-8,", "line 3: p is '-8'; expected an integer of at least 1, a name or nothing."),
        (",24,", ",2.5,", "line 3: m is '2.5'; expected an integer of at least 1, a name or nothing."),
        ("s,t", "s,t,u", "line 3: the number of cells is 15; expected 14, one a column."),
        ("a note", '"a note', "line 3: this is no line of a CSV file (unexpected end of data)."),
    ],
)
def test_a_broken_line_is_one_sentence_with_its_number(tmp_path, old, new, sentence):
    path = file(tmp_path / "rows.csv", GOOD, GOOD.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        read_rows(path)
    assert str(caught.value) == f"{path}, {sentence}"


def test_a_file_that_is_none_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"rows.csv does not exist; expected a CSV file of published figures\.$"):
        read_rows(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text("source,table\n")
    with pytest.raises(UserError, match=r"rows.csv has no column model, p, m, .*; expected source, table, model"):
        read_rows(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"rows.csv cannot be read as a CSV file of published figures"):
        read_rows(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_bytes(b"")
    with pytest.raises(UserError, match="has no column source"):
        read_rows(tmp_path / "rows.csv")
