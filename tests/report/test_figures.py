import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.report.figures import figures, memory_text, ticks
from stretto.report.timeline import Bar, Lane, Part, Timeline, from_simulation
from stretto.spec.costs import PassCosts
from tests.report.programs import one_forward_one_backward, simulated


def test_figures_of_1f1b_are_its_closed_forms():
    simulation = simulated(one_forward_one_backward(4, 12), PassCosts())
    found = dict(figures(from_simulation(simulation)))
    # (m + p - 1)(F + B) = 15 * 3; bubble (p - 1) / (m + p - 1); the first rank stores p microbatches.
    assert found["makespan"] == "45"
    assert found["bubble (makespan)"] == found["bubble (longest span)"] == "20.0 %"
    assert found["peak memory"] == "4"
    assert found["messages"] == str(2 * 3 * 12)


def test_what_is_not_known_is_not_told():
    bar = Bar(0, 2, "load", (Part("other"),))
    assert dict(figures(Timeline("t", (Lane("r", (bar,)),), unit="s"))) == {"makespan": "2 s"}


@pytest.mark.parametrize(
    ("level", "unit", "text"),
    [(10.3333, "", "10.33"), (512, "bytes", "512 bytes"), (3 << 20, "bytes", "3 MiB"), (5 << 30, "bytes", "5 GiB")],
)
def test_memory_is_told_in_fitting_units(level, unit, text):
    assert memory_text(level, unit) == text


@given(st.floats(1e-6, 1e9), st.integers(1, 40))
def test_ticks_are_round_rise_and_stay_inside(length, most):
    found = list(ticks(length, most))
    assert found[0] == 0
    assert len(found) <= most + 1
    assert found[-1] <= length * (1 + 1e-6)
    assert len(found) > most / 3 or most < 5
    step = length if len(found) == 1 else found[1]
    assert len(found) == 1 or f"{step:.0e}"[0] in "125"
