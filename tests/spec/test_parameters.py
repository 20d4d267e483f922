import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.spec.parameters import parameters
from stretto.spec.run.model import LlamaModel

SIZES = st.builds(
    LlamaModel,
    width=st.integers(1, 40),
    layers=st.integers(1, 4),
    heads=st.just(6),
    kv_heads=st.sampled_from([1, 2, 3, 6]),
    head_width=st.sampled_from([2, 4, 16]),
    feed_forward=st.integers(1, 50),
    tied=st.booleans(),
)


@given(SIZES, st.integers(1, 300))
def test_the_table_is_consistent(model, vocabulary):
    shape = model.shape(vocabulary, 64)
    table = parameters(shape)
    assert len({p.name for p in table}) == len(table)
    for p in table:
        assert len(p.shape) == len(p.axes) == len(p.units)
        assert all(size % unit == 0 for size, unit in zip(p.shape, p.units, strict=True))
        assert p.name.startswith(p.place)
    assert ("head.weight" in {p.name for p in table}) is not model.tied


def test_heads_may_only_be_cut_whole():
    table = {p.name: p for p in parameters(LlamaModel(heads=4, kv_heads=2, head_width=8).shape(10, 8))}
    query, out = table["layers.0.mixer.query.weight"], table["layers.0.mixer.output.weight"]
    assert (query.axes, query.units) == (("heads", "embed"), (8, 1))
    assert (out.axes, out.units) == (("embed", "heads"), (1, 8))
    assert table["layers.0.mixer.key.weight"].axes[0] == "kv_heads"


@pytest.mark.parametrize("layers", [1, 12])
def test_what_enters_the_residual_stream_starts_smaller_in_a_deeper_model(layers):
    table = {p.name: p for p in parameters(LlamaModel(layers=layers).shape(10, 8))}
    ratio = table["layers.0.mixer.query.weight"].deviation / table["layers.0.mixer.output.weight"].deviation
    assert ratio == pytest.approx((2 * layers) ** 0.5)
