"""How values cross a border: frozen, checked, versioned, read from and written to JSON.

`Value` is the parent of every value that a person or a file can write (shapes, layouts, run files, manifests):
unknown keys are refused, nothing is taken for another type (an integer stands for a number, a list for a tuple, text
for a path), and nothing can be changed after construction. `load` turns what pydantic says about a
bad one into one sentence. A value that is written to disk carries `format`, such as ``stretto.manifest/1``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, ValidationInfo, model_validator

from stretto.spec.errors import UserError, bad_value, nearest

V = TypeVar("V", bound="Value")
_PLAIN = {
    "int_parsing": "an integer",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "is_instance_of": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}


class Value(BaseModel):
    """A frozen, self-checking value; unknown fields and other types are refused."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _as_files_write_it(cls, table: Any, info: ValidationInfo) -> Any:
        """Lists become tuples and text becomes a path, which strict checks would refuse."""
        if not isinstance(table, dict):
            return table
        given = {name: _tuples(value) for name, value in cast("dict[str, Any]", table).items()}
        for name, value in given.items():
            if isinstance(value, str) and info.mode == "python" and _takes_path(cls, name):
                given[name] = Path(value)
        return given


def load(kind: type[V], data: object, where: str) -> V:
    """Check `data` (from TOML, JSON or flags) against `kind`.

    Args:
        kind: the value's class.
        data: what was read, normally a table.
        where: what the sentence names as its source, such as a file; empty for none.

    Raises:
        UserError: naming the first wrong field, its value and what was expected.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise _sentence(kind, error, where) from None


def from_text(kind: type[Value], field: str, text: str) -> Any:
    """What the text of a flag means to a dotted field of `kind`: a number, true or false, or else the text itself.

    Every kind of table on the way is asked. Text that the field cannot take stays text, for `load` to refuse.
    """
    *path, name = field.split(".")
    inside = [kind]
    for part in path:
        fields = [model.model_fields[part] for model in inside if part in model.model_fields]
        inside = [model for found in fields for model in _models(found.annotation)]
    for model in inside:
        if name in model.model_fields:
            with contextlib.suppress(ValidationError):
                found = TypeAdapter[Any](cast("Any", model.model_fields[name].annotation)).validate_strings(text)
                return found if isinstance(found, bool | int | float) else text
    return text


def load_json(kind: type[V], path: Path, what: str) -> V:
    """Read one value from a JSON file written by `dump_json`; `what` names it in the sentence."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; expected {what}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as {what}: {getattr(error, 'strerror', None) or error}.") from None
    try:
        data = json.loads(text)
    except RecursionError:
        raise UserError(f"{path} is not {what}: it is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not {what}: it is damaged at line {error.lineno} ({error.msg}).") from None
    return load(kind, check_format(kind, data, path, what), str(path))


def check_format(kind: type[Value], data: object, path: Path, what: str) -> object:
    """Refuse a file whose `format` is not the one this version writes, before its fields are looked at."""
    field = kind.model_fields.get("format")
    if field is None or not isinstance(data, Mapping):
        return data
    found = cast("Mapping[str, object]", data).get("format")
    if found != field.default:
        raise UserError(f"{path} is not {what}: its format is {found!r}; expected {field.default!r}.")
    return cast("object", data)


def dump_json(value: Value, indent: int | None = 2) -> str:
    """The JSON text of a value, fields in their declared order, ending in a newline."""
    return json.dumps(value.model_dump(mode="json"), indent=indent, ensure_ascii=False) + "\n"


def digest(value: Value) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, cast("list[Any]", value))) if isinstance(value, list) else value


def _as_written(value: Any) -> Any:
    return [_as_written(v) for v in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value


def _takes_path(kind: type[Value], name: str) -> bool:
    field = kind.model_fields.get(name)
    return field is not None and Path in (field.annotation, *get_args(field.annotation))


def _sentence(kind: type[Value], error: ValidationError, where: str) -> UserError:
    first = error.errors()[0]
    path, inside = _walk(kind, [str(part) for part in first["loc"] if not _is_choice(part)])
    field, value, why = ".".join(path), _as_written(first["input"]), first["type"]
    prefix = f"{where}: " if where else ""
    if why == "extra_forbidden":
        choices = sorted({name for model in inside for name in model.model_fields})
        close = nearest(path[-1], choices)
        known = f"did you mean {close!r}?" if close else "known fields: " + ", ".join(choices)
        return UserError(f"{prefix}{field} is not a known field ({known}).")
    if why == "missing":
        return UserError(f"{prefix}{field} is missing.")
    if why == "value_error":
        detail = str(first.get("ctx", {}).get("error", first["msg"]))
        return UserError(f"{prefix}{field + ': ' if field else ''}{detail}")
    if why.startswith("union_tag"):
        tags = str(first.get("ctx", {}).get("expected_tags", "")).replace("'", "")
        tag = cast("Mapping[str, object]", value).get("kind") if isinstance(value, Mapping) else cast("object", value)
        return UserError(prefix + str(bad_value(f"{field}.kind", tag, f"one of {tags}")))
    if why == "too_short":
        return UserError(
            prefix + str(bad_value(field, value, f"at least {first.get('ctx', {})['min_length']} of them"))
        )
    plain = first["msg"].removeprefix("Input should be ").replace("greater than or equal to", "at least")
    expected = _PLAIN.get(why) or plain.replace("less than or equal to", "at most")
    return UserError(prefix + str(bad_value(field, value, expected)))


def _is_choice(part: str | int) -> bool:
    """Whether a part of an error's place names a member of a union of plain types, which is no field."""
    return isinstance(part, str) and (part in ("float", "int", "str") or not part.replace("_", "").isalnum())


def _walk(kind: type[Value], loc: list[str]) -> tuple[list[str], list[type[Value]]]:
    """The path without the tags of unions, and the values that its last part is a field of."""
    path: list[str] = []
    inside: list[type[Value]] = [kind]
    for i, part in enumerate(loc):
        tagged = [model for model in inside if _tag(model) == part]
        if tagged and i < len(loc) - 1:
            inside = tagged
            continue
        path.append(part)
        if i < len(loc) - 1:
            inner = [m for f in inside if part in f.model_fields for m in _models(f.model_fields[part].annotation)]
            inside = inner or inside
    return path, inside


def _models(annotation: Any) -> list[type[Value]]:
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return [annotation]
    return [m for inner in get_args(annotation) for m in _models(inner)]


def _tag(kind: type[Value]) -> object:
    field = kind.model_fields.get("kind")
    return field.default if field else None
