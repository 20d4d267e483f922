"""The element types a checkpoint stores: torch's name, safetensors' name, bytes. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ElementType:
    """One type of element.

    Attributes:
        code: its name in a safetensors header.
        size_bytes: of one element.
    """

    code: str
    size_bytes: int


ELEMENT_TYPES = {
    "float64": ElementType("F64", 8),
    "float32": ElementType("F32", 4),
    "float16": ElementType("F16", 2),
    "bfloat16": ElementType("BF16", 2),
    "float8_e4m3fn": ElementType("F8_E4M3", 1),
    "float8_e5m2": ElementType("F8_E5M2", 1),
    "int64": ElementType("I64", 8),
    "int32": ElementType("I32", 4),
    "int16": ElementType("I16", 2),
    "int8": ElementType("I8", 1),
    "uint8": ElementType("U8", 1),
    "bool": ElementType("BOOL", 1),
}
