import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.simulate.scoreboard.formula import evaluate
from stretto.spec.errors import UserError


@settings(max_examples=30)
@given(st.integers(1, 200))
def test_formulas_of_the_tables(p):
    assert evaluate("p", {"p": p}) == p
    assert evaluate("p+2", {"p": p}) == p + 2
    assert evaluate("1.5p", {"p": p}) == 1.5 * p
    assert evaluate("floor((p+4)/3)", {"p": p}) == (p + 4) // 3
    assert evaluate("2(p-1)", {"p": p}) == 2 * (p - 1)
    assert evaluate("-min(p, 3)", {"p": p}) == -min(p, 3)


@pytest.mark.parametrize(
    "text",
    ["", "q", "p/0", "p**9", "p.real", "open(p)", "floor(x=p)", "p if p else p", "1e308*10", "True", "'p'", "f("],
)
def test_anything_else_is_refused_in_a_sentence(text):
    with pytest.raises(UserError) as caught:
        evaluate(text, {"p": 4})
    assert str(caught.value) == f"the formula is {text!r}; expected arithmetic over p."
