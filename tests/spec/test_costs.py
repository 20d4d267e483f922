"""Costs: one number is a rank's whole share, a list names every stage, and wrong ones are refused in a sentence."""

import pytest

from stretto.spec.costs import PassCosts, read_costs
from stretto.spec.errors import UserError
from stretto.spec.value import load


def test_one_number_is_divided_over_a_ranks_stages():
    costs = PassCosts(forward=3.0, weight_grad=1.0)
    assert costs.per_stage("forward", stages=4, ranks=2) == (1.5,) * 4
    assert costs.per_stage("forward", stages=4, ranks=4) == (3.0,) * 4
    assert costs.per_stage("activation", stages=8, ranks=4) == (0.5,) * 8


def test_a_list_names_every_stage():
    costs = PassCosts(forward=(1.0, 2.0))
    assert costs.per_stage("forward", stages=2, ranks=1) == (1.0, 2.0)
    with pytest.raises(UserError, match=r"costs.forward is \[1.0, 2.0\]; expected one number, or 3 of them"):
        costs.per_stage("forward", stages=3, ranks=3)


def test_halves_and_whole_follow_from_each_other():
    assert PassCosts().per_stage("backward", 1, 1) == (2.0,)
    assert PassCosts(input_grad=2.0, weight_grad=0.5).per_stage("backward", 1, 1) == (2.5,)
    assert PassCosts(backward=(4.0, 6.0)).per_stage("input_grad", 2, 2) == (2.0, 3.0)
    assert PassCosts(forward=0.7).per_stage("recompute", 1, 1) == (0.7,)
    with pytest.raises(UserError, match="a list and one number"):
        PassCosts(input_grad=(1.0, 2.0)).per_stage("backward", 2, 2)


def test_links():
    assert PassCosts(transfer=0.5).link(0, 1) == 0.5
    assert PassCosts(transfer=0.5).link(1, 1) == 0.0
    assert PassCosts(transfer=((0.0, 1.0), (2.0, 0.0))).link(1, 0) == 2.0
    with pytest.raises(UserError, match="at least 3"):
        PassCosts(transfer=((0.0, 1.0), (2.0, 0.0))).link(0, 2)


def test_slices():
    assert PassCosts().slice_shares(4) == (0.25,) * 4
    assert PassCosts(slices=(0.7, 0.3)).slice_shares(2) == (0.7, 0.3)
    with pytest.raises(UserError, match="expected 3 shares"):
        PassCosts(slices=(0.7, 0.3)).slice_shares(3)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"forward": -1.0}, "forward"),
        ({"pair": 0.0}, "pair is 0.0"),
        ({"transfer": [[0.0, 1.0]]}, "expected a square"),
        ({"slices": [0.5, 0.6]}, "slices add up to 1.1; expected 1"),
        ({"weight_activation": 1.5}, "weight_activation is 1.5; expected a share"),
        ({"foward": 1.0}, "did you mean 'forward'"),
        ({"forward": "fast"}, "forward"),
    ],
)
def test_wrong_costs_are_refused(table, sentence):
    with pytest.raises(UserError, match=sentence):
        load(PassCosts, table, "costs.toml")


def test_files(tmp_path):
    path = tmp_path / "costs.toml"
    path.write_text("forward = [1, 2.5]\ntransfer = 0.1\n")
    assert read_costs(path).per_stage("forward", 2, 2) == (1.0, 2.5)
    path.write_text("forward = [1, ")
    with pytest.raises(UserError, match="is not a TOML file of costs"):
        read_costs(path)
    with pytest.raises(UserError, match="does not exist"):
        read_costs(tmp_path / "none.toml")
