"""The page as a person meets it: in a real browser, with a mouse."""

import time

import pytest

from stretto.report.html import draw_html
from stretto.report.timeline import from_simulation
from tests.report.chromium import browser, missing
from tests.report.programs import one_forward_one_backward, paired, simulated

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=f"page: {missing()}")]

TIMELINES = [
    from_simulation(simulated(one_forward_one_backward(4, 8, split=True)), "</script><b>x"),
    from_simulation(simulated(paired(4))),
]


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(window, tmp_path):
    """The page, just loaded, light."""
    path = tmp_path / "page.html"
    path.write_text(draw_html(TIMELINES), encoding="utf-8")
    window.prefer("light")
    window.open(path.as_uri())
    yield window
    assert window.complaints() == []


def place(page, timeline, lane, bar):
    """Where a bar is in the window."""
    script = """
        const box = document.getElementById("timeline").getBoundingClientRect();
        const at = window.stretto.where(...arguments);
        return [at.x + box.left, at.y + box.top];"""
    return page.run(script, timeline, lane, bar)


def tip(page):
    return page.run("const tip = document.getElementById('tip'); return tip.hidden ? '' : tip.innerText")


def view(page):
    return page.run("const { from, to } = window.stretto.view(); return [from, to]")


def painted(page, x, y):
    """The colour of the canvas at a place in the window."""
    script = """
        const canvas = document.getElementById("timeline"), box = canvas.getBoundingClientRect();
        const scale = canvas.width / box.width;
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
          const [x, y] = [(arguments[0] - box.left) * scale, (arguments[1] - box.top) * scale].map(Math.round);
          const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          pen.drawImage(canvas, x, y, 1, 1, 0, 0, 1, 1);
          done([...pen.getImageData(0, 0, 1, 1).data]);
        })));"""
    return page.run(script, x, y)


def becomes(page, wanted):
    """Whether the page's ground has a colour within two seconds; the browser tells of preferences between frames."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        if page.run("return getComputedStyle(document.body).backgroundColor") == wanted:
            return True
        time.sleep(0.02)
    return False


def test_the_heading_is_text_and_every_timeline_has_its_figures(page):
    assert page.run("return document.querySelector('h1').textContent").startswith("</script><b>x")
    rows = page.run("return [...document.querySelectorAll('table tr')].map((row) => row.innerText)")
    assert len(rows) == 3
    assert "makespan" in rows[0]
    assert f"{TIMELINES[0].makespan:.5g}" in rows[1]


@pytest.mark.parametrize(("timeline", "lane", "bar"), [(0, 0, 4), (0, 3, 23), (1, 0, 2)])
def test_a_hovered_bar_says_what_it_is_and_why_it_waited(page, timeline, lane, bar):
    wanted = TIMELINES[timeline].lanes[lane].bars[bar]
    page.pointer(*place(page, timeline, lane, bar))
    said = tip(page)
    assert said.startswith(wanted.text + "\n")
    assert f"microbatch {wanted.parts[0].microbatch}" in said
    assert f"from {wanted.start:.6g} to {wanted.end:.6g}" in said
    assert (wanted.waited_for in said) if wanted.waited_for else ("waited" not in said)


def test_a_bar_is_painted_in_its_colour(page):
    x, y = place(page, 0, 3, 1)
    assert painted(page, x - 6, y - 2)[:3] == [0xE8, 0xA3, 0x3D]


def test_wheel_buttons_and_keys_change_the_view(page):
    whole = view(page)
    assert whole == [0, pytest.approx(max(t.makespan for t in TIMELINES))]
    x, y = place(page, 0, 2, 9)
    page.wheel(x, y, -400)
    near = view(page)
    assert near[1] - near[0] < 0.7 * whole[1]
    assert place(page, 0, 2, 9)[0] == pytest.approx(x, abs=1)
    page.run("document.getElementById('in').click()")
    nearer = view(page)
    assert nearer[1] - nearer[0] == pytest.approx(0.6 * (near[1] - near[0]))
    page.key("\ue014")
    assert view(page)[0] > nearer[0]
    page.key("0")
    assert view(page) == whole


def test_memory_can_be_hidden_which_makes_bars_taller(page):
    before = place(page, 0, 3, 0)
    page.run("document.getElementById('memory').click()")
    assert place(page, 0, 3, 0) != before
    assert page.run("return document.getElementById('memory').getAttribute('aria-pressed')") == "false"


def test_a_clicked_pass_is_followed_through_the_ranks_until_escape(page):
    other = place(page, 0, 3, 1)
    lit = painted(page, other[0] - 6, other[1] - 2)
    page.pointer(*place(page, 0, 0, 3), click=True)
    assert painted(page, other[0] - 6, other[1] - 2) != lit
    page.key("\ue00c")
    assert painted(page, other[0] - 6, other[1] - 2) == lit


def test_dark_is_the_readers_preference_or_a_button(page):
    light, dark = "rgb(255, 255, 255)", "rgb(20, 24, 29)"
    assert becomes(page, light)
    page.run("document.getElementById('theme').click()")
    assert becomes(page, dark)
    page.run("document.getElementById('theme').click()")
    assert becomes(page, light)
    page.prefer("dark")
    assert becomes(page, dark)


def test_a_lane_of_thousands_of_bars_mixes_the_colours_of_what_takes_less_than_a_pixel(page, tmp_path):
    many = from_simulation(simulated(one_forward_one_backward(2, 3000)))
    path = tmp_path / "many.html"
    path.write_text(draw_html([many]), encoding="utf-8")
    page.open(path.as_uri())
    x, y = place(page, 0, 0, len(many.lanes[0].bars) // 2)
    red, green, blue, _ = painted(page, x, y)
    # A third forward (2f6fb7) and two thirds backward (d2622a), less idle time on the light ground.
    assert 0x2F + 20 < red < 0xD2 + 10
    assert 0x2A + 20 < blue < 0xB7
    assert green < 0xB0
