import json
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from stretto.spec.errors import UserError
from stretto.spec.value import Value, digest, dump_json, load, load_json


class Round(Value):
    kind: Literal["round"] = "round"
    radius: float = Field(default=1.0, gt=0)


class Square(Value):
    kind: Literal["square"] = "square"
    side: int = 1


class Box(Value):
    format: Literal["test.box/1"] = "test.box/1"
    count: int = Field(default=1, ge=1)
    form: Annotated[Round | Square, Field(discriminator="kind")] = Round()
    sizes: tuple[int, ...] = ()
    name: str = "a"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"count": 0}, "f: count is 0; expected at least 1."),
        ({"count": "many"}, "f: count is 'many'; expected an integer."),
        ({"count": 1.5}, "f: count is 1.5; expected an integer."),
        ({"conut": 1}, "f: conut is not a known field (did you mean 'count'?)."),
        ({"zzz": 1}, "f: zzz is not a known field (known fields: count, form, format, name, sizes)."),
        ({"form": {"kind": "rond"}}, "f: form.kind is 'rond'; expected one of round, square."),
        ({"form": {"kind": "round", "side": 1}}, "f: form.side is not a known field (known fields: kind, radius)."),
        ({"form": {"kind": "round", "radius": -1}}, "f: form.radius is -1; expected greater than 0."),
        ({"form": {"kind": "round", "radius": float("nan")}}, "f: form.radius is nan; expected a finite number."),
        ({"sizes": [1, "x"]}, "f: sizes.1 is 'x'; expected an integer."),
        ({"sizes": 3}, "f: sizes is 3; expected a list."),
        ({"name": 3}, "f: name is 3; expected text."),
        ("text", "expected a table"),
    ],
)
def test_a_wrong_field_is_one_sentence(data, says):
    with pytest.raises(UserError) as error:
        load(Box, data, "f")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_values_are_frozen_and_hashable():
    box = Box()
    with pytest.raises(ValidationError):
        box.count = 2
    assert hash(box) == hash(Box())


def test_json_goes_there_and_back(tmp_path):
    box = Box(count=3, form=Square(side=2), sizes=(1, 2), name="é")
    path = tmp_path / "box.json"
    path.write_text(dump_json(box), encoding="utf-8")
    assert load_json(Box, path, "a box") == box
    assert next(iter(json.loads(dump_json(box)))) == "format"


def test_the_digest_is_that_of_the_content():
    assert digest(Box(count=1)) == digest(Box())
    assert digest(Box(count=2)) != digest(Box())
    assert len(digest(Box())) == 16


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "does not exist; expected a box."),
        ("{", "is not a box: it is damaged at line 1"),
        ("[]", "expected a table"),
        ('{"format": "test.box/2"}', "its format is 'test.box/2'; expected 'test.box/1'."),
        ('{"count": 1}', "its format is None; expected 'test.box/1'."),
    ],
)
def test_a_file_that_is_none(tmp_path, text, says):
    path = tmp_path / "box.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as error:
        load_json(Box, path, "a box")
    assert says in str(error.value)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "box.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read as a box"):
        load_json(Box, path, "a box")
