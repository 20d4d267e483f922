"""A family is registered once, and everything that names families agrees."""

import subprocess
import sys
from typing import get_args

import pytest

from stretto.models.build import build
from stretto.models.registry import FAMILIES, family, from_hugging_face
from stretto.spec.errors import UserError
from stretto.spec.parameters import parameters
from stretto.spec.run.config import RunConfig
from stretto.spec.run.model import LlamaModel

CONFIG = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "max_position_embeddings": 64,
}


def test_names_are_those_of_the_tables_and_shapes():
    assert {name: found.table.model_fields["kind"].default for name, found in FAMILIES.items()} == {"llama": "llama"}
    kinds = RunConfig.model_fields["model"].annotation
    assert {found.table for found in FAMILIES.values()} == set(get_args(kinds) or (kinds,))
    assert LlamaModel().shape(10, 10).family in FAMILIES


def test_a_config_goes_to_its_family():
    shape = from_hugging_face(CONFIG)
    assert (shape.family, shape.width, shape.layers[0].mixer.kv_heads) == ("llama", 32, 4)
    assert set(family(shape.family).hugging_face_names(shape)) == {p.name for p in parameters(shape)}
    with pytest.raises(
        UserError, match=r"config.json: model_type is 'lama'; expected one of llama \(did you mean 'llama'"
    ):
        from_hugging_face(CONFIG | {"model_type": "lama"})
    with pytest.raises(UserError, match="model_type is 'None'; expected one of llama"):
        from_hugging_face({})


def test_a_shape_of_no_family_is_not_built():
    shape = LlamaModel().shape(10, 10).model_copy(update={"family": "rama"})
    with pytest.raises(UserError, match="family is 'rama'; expected one of llama"):
        build(shape, device="meta")


def test_the_registry_loads_no_torch():
    program = "import sys, stretto.models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
