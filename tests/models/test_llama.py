"""What a Llama's config.json may say: sizes are read, and what the model would ignore is refused by name."""

import pytest

from stretto.models.llama import shape_from_hugging_face
from stretto.spec.errors import UserError

CONFIG = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "max_position_embeddings": 64,
}
NEUTRAL = {
    "architectures": ["LlamaForCausalLM"],
    "rope_scaling": None,
    "attention_bias": False,
    "mlp_bias": False,
    "hidden_act": "silu",
    "head_dim": None,
    "num_key_value_heads": 2,
}


def test_sizes():
    shape = shape_from_hugging_face(CONFIG | NEUTRAL | {"rope_theta": 500_000, "tie_word_embeddings": True})
    mixer = shape.layers[1].mixer
    assert (shape.width, shape.vocabulary, len(shape.layers), shape.context, shape.tied) == (32, 100, 2, 64, True)
    assert (mixer.heads, mixer.kv_heads, mixer.head_width, mixer.rotary.base) == (4, 2, 8, 500_000.0)
    assert shape.norm.eps == 1e-6


def test_the_base_of_newer_files():
    newer = {"rope_parameters": {"rope_type": "default", "rope_theta": 20_000.0}}
    assert shape_from_hugging_face(CONFIG | newer).layers[0].mixer.rotary.base == 20_000.0
    assert shape_from_hugging_face(CONFIG).layers[0].mixer.rotary.base == 10_000.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
            "rope_scaling.rope_type is 'llama3'; expected 'default'",
        ),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling.type is 'linear'; expected 'default'"),
        ({"rope_scaling": {"factor": 2.0}}, "rope_scaling.factor is not a known field"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters.rope_type is 'yarn'; expected 'default'"),
        ({"attention_bias": True}, "attention_bias is True; expected False"),
        ({"mlp_bias": True}, "mlp_bias is True; expected False"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; expected 'silu'"),
        ({"num_attention_heads": "4"}, "num_attention_heads is '4'; expected an integer"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0; expected at least 1"),
        ({"rms_norm_eps": -1e-6}, "rms_norm_eps is -1e-06; expected greater than 0"),
        ({"rope_theta": 0}, "rope_theta is 0; expected greater than 1"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0; expected at least 1"),
        ({"num_key_value_heads": 3}, "kv_heads is 3; expected a divisor of heads, 4"),
        ({"head_dim": 5}, "head_width is 5"),
    ],
)
def test_what_is_refused(changes, sentence):
    with pytest.raises(UserError) as caught:
        shape_from_hugging_face(CONFIG | changes)
    assert str(caught.value).startswith("config.json: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_sizes():
    with pytest.raises(UserError, match=r"config\.json: hidden_size is missing"):
        shape_from_hugging_face({})
