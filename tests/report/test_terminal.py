import io

import pytest
from rich.console import Console

from stretto.cli.show import console
from stretto.report.palette import HUES
from stretto.report.terminal import print_timeline
from stretto.report.timeline import Bar, Lane, Part, Timeline, from_simulation
from stretto.spec.costs import PassCosts
from tests.report.programs import chunked, one_forward_one_backward, paired, simulated

EQUAL = PassCosts(forward=1.0, input_grad=1.0, weight_grad=0.0)


def plain(timeline, width=60):
    out = io.StringIO()
    print_timeline(timeline, Console(file=out, color_system=None, width=width))
    return out.getvalue().splitlines()


def coloured(timeline, width=60, **fields):
    out = io.StringIO()
    console_ = Console(file=out, force_terminal=True, width=width, color_system="truecolor", **fields)
    print_timeline(timeline, console_)
    return out.getvalue()


def test_letters_lie_where_the_simulation_says():
    lines = plain(from_simulation(simulated(one_forward_one_backward(2, 2), EQUAL)), width=40)
    # Six time units of four cells each.
    assert lines[:3] == [
        "1f1b, 2 ranks, 2 microbatches",
        "rank 0 F0---F1---     B0---     B1---",
        "rank 1      F0---B0---F1---B1---",
    ]
    assert lines[3].split() == ["|0", "|2", "|4", "|6"]
    assert lines[4] == "F forward  B backward"


@pytest.mark.parametrize(("cells", "text"), [(6, "F10+B9"), (5, "F10--"), (3, "F10"), (2, "FB"), (1, "F")])
def test_what_does_not_fit_is_left_out_in_steps(cells, text):
    pair = Bar(0, 1, "F0.10+B0.9", (Part("F", 0, 10), Part("B", 0, 9)))
    other = Bar(1, 10, "offload0.0", (Part("memory", 0, 0),))
    # The console keeps three columns besides the label: ten units of time get ten times as many cells as the pair.
    row = plain(Timeline("t", (Lane("r", (pair, other)),)), 10 * cells + 4)[1]
    assert row.removeprefix("r ")[:cells] == text
    assert row.removeprefix("r ")[cells] == "m"


@pytest.mark.parametrize("width", [30, 61, 120])
@pytest.mark.parametrize("program", [one_forward_one_backward(4, 30), chunked(3, 8, 3), paired(9)])
def test_no_row_is_wider_than_the_console_and_every_lane_is_one_row(program, width):
    timeline = from_simulation(simulated(program))
    for text in (plain(timeline, width), coloured(timeline, width, no_color=True).splitlines()):
        rows = [line for line in text if line.lstrip("\x1b[2m").startswith("rank ")]
        assert len(rows) == len(timeline.lanes)
        assert all(len(line) <= width for line in plain(timeline, width)[:-1])


def test_colours_are_those_of_the_palette_and_a_pair_has_two():
    text = coloured(from_simulation(simulated(paired(3), EQUAL)))
    blue, orange = (";".join(str(int(HUES[kind][i : i + 2], 16)) for i in (1, 3, 5)) for kind in "FB")
    assert f"48;2;{blue}m0" in text
    assert f"38;2;{blue};48;2;{orange}m\u2580" in text


def test_passes_narrower_than_a_cell_are_mixed_by_their_time():
    halves = [Bar(i / 2, i / 2 + 0.5, "FB"[i % 2], (Part("FB"[i % 2], 0, i),)) for i in range(60)]
    text = coloured(Timeline("t", (Lane("r", tuple(halves)),)), width=34)
    mean = [(int(HUES["F"][i : i + 2], 16) + int(HUES["B"][i : i + 2], 16)) / 2 for i in (1, 3, 5)]
    assert text.count("48;2;{};{};{}m".format(*map(round, mean))) == 30
    assert "mixed" in text


def test_no_color_and_files_get_plain_letters(monkeypatch):
    timeline = from_simulation(simulated(one_forward_one_backward(2, 2), EQUAL))
    monkeypatch.setenv("NO_COLOR", "1")
    text = coloured(timeline)
    assert "F0---" in text
    assert "48;2" not in text
    out = io.StringIO()
    print_timeline(timeline, console(out))
    assert out.getvalue().isascii()
    assert "\x1b" not in out.getvalue()


def test_a_title_is_not_taken_for_markup():
    assert plain(Timeline("[red]x[/red]", ()))[0] == "[red]x[/red]"
