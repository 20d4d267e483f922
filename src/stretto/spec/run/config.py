"""RunConfig: a whole run as one frozen value, read from a TOML file and flags.

A flag wins over the file, the file over the default. Choosing another kind of a union by flag
(``--optimizer.kind muon``) starts from that kind's defaults.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, model_validator

from stretto.spec.errors import UserError
from stretto.spec.layout import Layout
from stretto.spec.run.data import Data
from stretto.spec.run.model import LlamaModel
from stretto.spec.run.optimizer import WSD, AdamW, LrSchedule, Optimizer
from stretto.spec.run.train import Checkpoint, Metrics, Train, Validation
from stretto.spec.value import Value, from_text, load


class RunConfig(Value):
    """Everything that decides a training run."""

    format: Literal["stretto.run/1"] = "stretto.run/1"
    folder: Path
    """Where the run writes; a folder that holds a run is never overwritten."""
    model: LlamaModel = LlamaModel()
    data: Data
    optimizer: Optimizer = Field(default=AdamW())
    lr_schedule: LrSchedule = Field(default=WSD())
    layout: Layout = Layout()
    train: Train = Train()
    validation: Validation = Validation()
    checkpoint: Checkpoint = Checkpoint()
    metrics: Metrics = Metrics()

    @model_validator(mode="before")
    @classmethod
    def _default_kinds(cls, table: Any) -> Any:
        return _with_kinds(cast("dict[str, Any]", table)) if isinstance(table, dict) else table

    @model_validator(mode="after")
    def _rows_divide(self) -> RunConfig:
        rows, data, micro = self.train.rows, self.layout.data, self.train.microbatch_rows
        if rows % data:
            raise ValueError(f"train.rows is {rows}; expected a multiple of layout.data, {data}.")
        if (rows // data) % micro:
            raise ValueError(
                f"train.microbatch_rows is {micro}; expected a divisor of the {rows // data} rows of a rank "
                f"(train.rows / layout.data)."
            )
        return self

    @property
    def microbatches(self) -> int:
        """Microbatches of one rank in one step."""
        return self.train.rows // self.layout.data // self.train.microbatch_rows


def read_run(path: Path | str, overrides: Mapping[str, str] | None = None) -> RunConfig:
    """Read a run file and lay flags over it.

    Args:
        path: a TOML file.
        overrides: dotted fields and their text, as `lay_over` takes them.

    Raises:
        UserError: the file cannot be read, or a field is unknown or wrong.
    """
    table = _with_kinds(read_toml(Path(path)))
    given = overrides or {}
    lay_over(table, given)
    try:
        return load(RunConfig, table, str(path))
    except UserError as error:
        said = str(error).removeprefix(f"{path}: ")
        flag = next((field for field in given if said.startswith(field)), None)
        raise (UserError(f"--{said}") if flag else error) from None


def lay_over(table: dict[str, Any], overrides: Mapping[str, str]) -> None:
    """Lay flags over the tables of a run, in place.

    Args:
        table: the run's tables, as TOML has them.
        overrides: dotted fields and their text, such as ``{"train.steps": "20"}``. Text becomes what its field takes;
            a value that reads as a TOML list or table is taken as one, and ``none`` clears an optional field.

    Raises:
        UserError: a field lies inside something that is no table.
    """
    for field, text in overrides.items():
        _set(table, field.split("."), _parsed(field, text))


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UserError: it is missing, cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; expected a run file (TOML).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a run file: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from None


def _with_kinds(table: dict[str, Any]) -> dict[str, Any]:
    """The tables, where one that does not say which kind it is has the kind that a missing table has."""
    given = dict(table)
    for name, field in RunConfig.model_fields.items():
        kind = getattr(field.default, "kind", None)
        if kind and isinstance(given.get(name), dict):
            given[name] = {"kind": kind, **given[name]}
    return given


def _set(table: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UserError(f"{'.'.join(path)} cannot be set: {part} is no table.")
        table = cast("dict[str, Any]", inner)
    if path[-1] == "kind" and table.get("kind") != value:
        table.clear()
    table[path[-1]] = value


def _parsed(field: str, text: str) -> Any:
    if text.lower() == "none":
        return None
    if text[:1] in "[{":
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return from_text(RunConfig, field, text)
