import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.report.svg import draw_svg, write_svg
from stretto.report.timeline import from_simulation
from stretto.spec.costs import PassCosts
from stretto.spec.errors import StrettoError
from stretto.spec.program import passes
from tests.report.programs import chunked, one_forward_one_backward, paired, simulated

SPACE = "{http://www.w3.org/2000/svg}"
BOX = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-([\d.]+)z")


def bars(svg):
    """Per lane, over all timelines, the (x, width, class) of what is drawn in it."""
    lanes = [group for group in ElementTree.fromstring(svg).iter(f"{SPACE}g") if "bars" in group.get("class")]
    found = []
    for lane in lanes:
        boxes = [(BOX.fullmatch(path.get("d")), path.get("class")) for path in lane.iter(f"{SPACE}path")]
        found.append([(float(box[1]), float(box[3]), kind) for box, kind in boxes])
    return found


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 8), st.integers(1, 3))
def test_every_pass_is_a_bar_where_the_simulation_says(ranks, microbatches, chunks):
    simulation = simulated(chunked(ranks, microbatches, chunks))
    drawn = bars(draw_svg([from_simulation(simulation)]))
    assert sum(map(len, drawn)) == len(list(passes(simulation.program)))
    scale = 1120 / simulation.makespan
    for lane, pieces in zip(drawn, simulation.pieces, strict=True):
        for (x, width, kind), piece in zip(lane, pieces, strict=True):
            assert x == pytest.approx(piece.start * scale, abs=0.01)
            assert width == pytest.approx((piece.end - piece.start) * scale, abs=0.01)
            assert kind.startswith(piece.record.kind)


def test_a_pair_is_two_halves_above_one_another():
    (lane,) = bars(draw_svg([from_simulation(simulated(paired(3)))]))
    assert [kind[0] for _, _, kind in lane] == ["F", "F", "B", "F", "B", "B"]
    assert lane[1][:2] == lane[2][:2]


def test_stacked_timelines_share_the_time_axis():
    short, long = (from_simulation(simulated(one_forward_one_backward(2, m), PassCosts())) for m in (4, 9))
    text = draw_svg([short, long])
    first, _, second, _ = bars(text)
    assert first[0][1] == second[0][1] == pytest.approx(1120 / long.makespan, abs=0.01)
    assert "2 ranks, 4 microbatches" in text
    assert "2 ranks, 9 microbatches" in text


def test_memory_of_another_unit_has_its_own_scale():
    one = from_simulation(simulated(one_forward_one_backward(2, 4)))
    lanes = tuple(lane._replace(memory=tuple((t, level * 2**30) for t, level in lane.memory)) for lane in one.lanes)
    other = replace(one, lanes=lanes, memory_unit="bytes")
    text = draw_svg([one, other])
    shapes = re.findall(r'class="level" d="M[\d.]+ [\d.]+([^"]+)"', text)
    assert len(shapes) == 4
    assert shapes[:2] == shapes[2:]
    assert "2 GiB" in text


def test_every_class_has_a_colour_and_both_modes_are_there():
    text = draw_svg([from_simulation(simulated(chunked(2, 3, 3))), from_simulation(simulated(paired(3)))])
    used = {kind for lane in bars(text) for _, _, kind in lane}
    assert len(used) == 8
    assert all(f".{kind}{{fill:#" in text for kind in used)
    assert "prefers-color-scheme:dark" in text


def test_texts_are_escaped():
    text = draw_svg([from_simulation(simulated(paired(2)), "<script>&")])
    root = ElementTree.fromstring(text)
    assert "<script>&" in [node.text for node in root.iter(f"{SPACE}text")]
    assert root.find(f"{SPACE}script") is None


def test_numbers_are_left_out_where_they_do_not_fit():
    def numbers(microbatches):
        text = draw_svg([from_simulation(simulated(one_forward_one_backward(2, microbatches)))])
        return len(re.findall(r'<text class="[ns] ', text))

    assert numbers(10) == 40
    assert numbers(400) == 0


def test_size_is_small_and_linear():
    def size(microbatches):
        return len(draw_svg([from_simulation(simulated(chunked(8, microbatches, 3)))]))

    one, two = size(24), size(48)
    assert one < 150_000
    assert two < 2.2 * one


def test_a_file_is_written_whole_or_its_failure_told(tmp_path):
    timeline = from_simulation(simulated(paired(2)))
    write_svg([timeline], tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text() == draw_svg([timeline])
    with pytest.raises(StrettoError, match="cannot be written"):
        write_svg([timeline], tmp_path / "none" / "picture.svg")
