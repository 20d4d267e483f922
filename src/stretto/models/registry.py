"""The families that can be built. A family is a file beside this one, which ends in a `Family`, and a line here.

A name is at once that of a shape's `family`, of the `kind` of a run file's [model], and of the `model_type` of a
Hugging Face ``config.json``. Torch-free.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from stretto.models.family import Family
from stretto.models.llama import LLAMA
from stretto.spec.errors import unknown_name
from stretto.spec.shape import ModelShape

FAMILIES: Final[Mapping[str, Family]] = {
    "llama": LLAMA,
}


def family(name: object, field: str = "family") -> Family:
    """The family of this name; `field` is where the name was found.

    Raises:
        UserError: there is none of this name.
    """
    if not isinstance(name, str) or name not in FAMILIES:
        raise unknown_name(field, str(name), FAMILIES)
    return FAMILIES[name]


def from_hugging_face(config: Mapping[str, Any]) -> ModelShape:
    """The shape that a ``config.json`` describes, read by the family that its `model_type` names.

    Raises:
        UserError: no such family, or the family has no such model.
    """
    return family(config.get("model_type"), "config.json: model_type").from_hugging_face(config)
