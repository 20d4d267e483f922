import pytest

from stretto.spec.errors import StrettoError, UserError, bad_value, nearest, unknown_name


def test_exit_codes():
    assert (StrettoError.exit_code, UserError.exit_code) == (1, 2)


@pytest.mark.parametrize(("word", "found"), [("trian", "train"), ("stpes", "steps"), ("zzz", None)])
def test_the_nearest_choice(word, found):
    assert nearest(word, ["train", "steps", "rows"]) == found


def test_sentences():
    assert str(bad_value("train.steps", -3, "at least 1")) == "train.steps is -3; expected at least 1."
    assert str(bad_value("a", "b", "c", "d")) == "a is 'b'; expected c (d)."
    assert str(unknown_name("x", "addam", ["muon", "adam"])) == (
        "x is 'addam'; expected one of adam, muon (did you mean 'adam'?)."
    )
    assert str(unknown_name("x", "zzz", ["muon", "adam"])) == "x is 'zzz'; expected one of adam, muon."
