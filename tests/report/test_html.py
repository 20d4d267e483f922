import json
import re
from html.parser import HTMLParser

import pytest

from stretto.report.html import draw_html, write_html
from stretto.report.palette import CAUSES
from stretto.report.timeline import KINDS, Bar, Lane, Part, Timeline, from_simulation, from_trace
from stretto.spec.trace import Span, Trace
from tests.report.programs import chunked, one_forward_one_backward, paired, simulated

SIMULATION = simulated(one_forward_one_backward(3, 5, split=True))


class Elements(HTMLParser):
    """The elements of a page, and the text of each script."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self.titles = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        if tag == "script":
            self.scripts.append((attributes.get("type"), data))
        if tag == "title":
            self.titles.append(data)


def table(page):
    return json.loads("".join(text for kind, text in Elements(page).scripts if kind == "application/json"))


def test_the_page_needs_nothing_from_elsewhere():
    page = draw_html([from_simulation(SIMULATION)])
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(|src\s*=|fetch\(|import\(", page)
    assert "default-src 'none'" in page
    links = [attributes for tag, attributes in Elements(page).tags if tag == "link"]
    assert [attributes["href"] for attributes in links] == ["data:,"]
    assert "{{" not in page


def test_the_table_holds_the_simulation():
    (line,) = table(draw_html([from_simulation(SIMULATION)]))["timelines"]
    kinds = list(KINDS)
    for number, (lane, pieces) in enumerate(zip(line["lanes"], SIMULATION.pieces, strict=True)):
        assert lane["start"] == pytest.approx([piece.start for piece in pieces])
        assert lane["end"] == pytest.approx([piece.end for piece in pieces])
        assert [kinds[kind] for kind in lane["kind"]] == [piece.record.kind for piece in pieces]
        assert lane["microbatch"] == [piece.record.microbatch for piece in pieces]
        assert lane["waits"] == [
            [i, pytest.approx(piece.idle), list(CAUSES).index(piece.cause), piece.waited_for]
            for i, piece in enumerate(pieces)
            if piece.idle
        ]
        assert lane["memory"] == pytest.approx([value for step in SIMULATION.memory[number] for value in step])
        assert lane["causes"] == pytest.approx([SIMULATION.causes[number][cause] for cause in CAUSES])
        assert lane["idle"] == pytest.approx(sum(lane["causes"]))
    assert dict(line["figures"])["messages"] == str(SIMULATION.transfers)


def test_pairs_have_a_second_part_and_chunks_their_shades():
    pairs, chunks = table(draw_html([from_simulation(simulated(p)) for p in (paired(3), chunked(2, 2, 2))]))[
        "timelines"
    ]
    assert pairs["lanes"][0]["second"] == {"1": [1, 0, 0, 0, 0, 0], "2": [1, 0, 0, 1, 0, 0]}
    assert chunks["lanes"][0]["shade"] == [0, 0, 1, 1, 1, 1, 0, 0]
    assert len(chunks["colours"]["0"]) == 2
    assert "slice" not in chunks["lanes"][0]


def test_no_text_can_end_the_script_or_become_markup():
    evil = "</script><script>alert(1)</script>&{{js}}<!--"
    lanes = (Lane(evil, (Bar(0, 1, evil, (Part("other"),), 0.5, None, evil),)),)
    page = draw_html([Timeline(evil, lanes)], evil)
    plain = draw_html([Timeline("x", lanes)], "x")
    assert [tag for tag, _ in Elements(page).tags] == [tag for tag, _ in Elements(plain).tags]
    assert page.count("<script") == 2
    assert table(page)["timelines"][0]["lanes"][0]["text"] == [evil]
    assert "".join(Elements(page).titles).strip() == evil


def test_a_measured_run_becomes_a_page_with_its_unit_and_names():
    spans = (
        Span(rank=0, stream="compute", what="F0.0", start_s=1, end_s=1.25),
        Span(rank=0, stream="compute", what="clip <gradients>", start_s=1.5, end_s=2),
    )
    (line,) = table(draw_html([from_trace(Trace(source="measured", spans=spans))]))["timelines"]
    assert line["unit"] == "s"
    assert line["lanes"][0]["text"] == ["F0.0", "clip <gradients>"]
    assert line["lanes"][0]["waits"] == [[1, 0.25, -1, ""]]
    assert line["lanes"][0]["causes"] == []


def test_a_bar_costs_few_bytes(tmp_path):
    small, large = (from_simulation(simulated(chunked(8, m, 2))) for m in (8, 72))
    write_html([small], tmp_path / "small.html")
    write_html([large], tmp_path / "large.html")
    more = (tmp_path / "large.html").stat().st_size - (tmp_path / "small.html").stat().st_size
    assert more / (8 * 64 * 2 * 2) < 60
