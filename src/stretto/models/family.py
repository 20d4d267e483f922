"""What makes a family: its line for people, its table in a run file, and how Hugging Face writes the same model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stretto.spec.shape import ModelShape
from stretto.spec.value import Value


@dataclass(frozen=True, slots=True)
class Family:
    """One family of models; `models.registry` names it. Torch-free: modules come from the shape, by `models.build`.

    Attributes:
        summary: one line for people.
        table: the class of a run file's [model] that describes such a model.
        from_hugging_face: the shape that a ``config.json`` describes, or a `UserError`.
        hugging_face_names: our name of every parameter -> its name in a Hugging Face checkpoint.
    """

    summary: str
    table: type[Value]
    from_hugging_face: Callable[[Mapping[str, Any]], ModelShape]
    hugging_face_names: Callable[[ModelShape], dict[str, str]]
