"""The integer program finds the shortest span: as short as the best of every possible order."""

import itertools
import sys

import pytest

from stretto.schedule.exact import solve
from stretto.schedule.generators.zb_auto import zb_auto
from stretto.schedule.graph import build
from stretto.schedule.greedy import Rules, problem, simulate
from stretto.schedule.memory import peaks
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Program


def lists(stage, microbatches):
    """Every order of one rank's passes in which microbatches take turns and each pass has its input."""
    found = set(itertools.permutations("FIW" * microbatches))
    for kinds in found:
        if all(
            kinds[: k + 1].count("F") >= kinds[: k + 1].count("I") >= kinds[: k + 1].count("W")
            for k in range(len(kinds))
        ):
            done = dict.fromkeys("FIW", 0)
            records = []
            for kind in kinds:
                records.append(Compute(kind, stage, done[kind]))
                done[kind] += 1
            yield tuple(records)


@pytest.mark.parametrize("cap", [1, 2])
@pytest.mark.parametrize("times", [(1, 1, 1, 0), (2, 3, 1, 0.5), (3, 1, 2, 1)])
def test_as_short_as_the_best_of_all_orders(times, cap):
    pytest.importorskip("scipy")
    forward, input_grad, weight_grad, hop = times
    costs = PassCosts(
        forward=forward, input_grad=input_grad, weight_grad=weight_grad, transfer=hop, weight_activation=0.4
    )
    best = float("inf")
    for ranks in itertools.product(*(list(lists(stage, 2)) for stage in range(2))):
        program = Program(ranks=ranks, stages=2, microbatches=2, placement=((0, 1),))
        if max(peaks(program, costs)) <= cap and build(program).acyclic:
            best = min(best, max(timing(program, costs).spans))
    exact = zb_auto(2, 2, costs, cap, exact=True)
    assert abs(max(timing(exact, costs).spans) - best) < 1e-6
    assert max(peaks(exact, costs)) <= cap + 1e-9


def test_repairs_a_poor_start():
    pytest.importorskip("scipy")
    given = problem(PassCosts(forward=2, input_grad=2, weight_grad=1), range(3), 3, 3)
    poor = simulate(given, Rules(order=(0, 1), ahead=((0, 0),)))
    assert solve(given, poor) != poor.orders


def test_without_scipy_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(UserError, match=r"pip install 'stretto\[exact\]'"):
        zb_auto(2, 2, exact=True)
