import pytest

from stretto.spec.errors import UserError
from stretto.spec.run.model import LlamaModel
from stretto.spec.shape import ModelShape
from stretto.spec.value import load

SHAPE = LlamaModel(layers=2, width=8, heads=2, kv_heads=1, head_width=4, feed_forward=16).shape(10, 32)


def test_a_shape_goes_there_and_back():
    assert load(ModelShape, SHAPE.model_dump(mode="json"), "shape") == SHAPE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layers": []}, "layers is []"),
        ({"family": 3}, "family is 3; expected text"),
        ({"width": 0}, "width is 0; expected at least 1."),
        ({"heads": 3, "kv_heads": 2}, "kv_heads is 2; expected a divisor of heads, 3."),
        ({"head_width": 3}, "head_width is 3; expected a multiple of 2"),
    ],
)
def test_shapes_that_cannot_be(change, says):
    data = SHAPE.model_dump(mode="json")
    for name, value in change.items():
        (data if name in data else data["layers"][0]["mixer"])[name] = value
    with pytest.raises(UserError) as error:
        load(ModelShape, data, "shape")
    assert says in str(error.value)
