import pytest

from stretto.spec.errors import UserError
from stretto.spec.layout import AXES, Layout
from stretto.spec.value import load


def test_ranks_are_the_product_of_all_degrees():
    assert Layout().ranks == 1
    assert Layout(data=2, tensor=3, pipeline=5).ranks == 30


def test_every_axis_is_a_field():
    assert set(AXES) == set(Layout.model_fields) - {"format"}


def test_a_degree_is_at_least_one():
    with pytest.raises(UserError, match="layout: tensor is 0; expected at least 1"):
        load(Layout, {"tensor": 0}, "layout")
