"""PassCosts: what the passes of a program cost in time and memory, stage by stage.

A field that is one number says what a rank's whole share of the model takes for one microbatch, and is divided evenly
over the share's stages: with two chunks a rank, each takes half. A list names every stage (or rank) as it is.

Times have any one unit (the published tables use milliseconds or multiples of a forward); what is computed from them
has the same. Memory is in units of what one microbatch leaves on one rank for the rank's whole share of the model.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from stretto.spec.errors import UserError, bad_value
from stretto.spec.value import Value, load

Time: TypeAlias = Annotated[float, Field(ge=0, le=1e18)]
PerStage: TypeAlias = Time | Annotated[tuple[Time, ...], Field(min_length=1)]
"""One number for a rank's whole share, or one for each stage (or rank)."""


class PassCosts(Value):
    """Times and activation memory of every pass: one number for a rank's whole share, or a list, one a stage."""

    format: Literal["stretto.costs/1"] = "stretto.costs/1"
    forward: PerStage = 1.0
    """Time of F, per stage."""
    input_grad: PerStage | None = None
    """Time of I, per stage; none: half of `backward`, and 1 where that is not given either."""
    weight_grad: PerStage | None = None
    """Time of W, per stage; none: as for I."""
    backward: PerStage | None = None
    """Time of B, per stage; none: that of I plus that of W."""
    pair: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Time of an overlapped pair, as a share of its two passes' together."""
    transfer: Time | tuple[tuple[Time, ...], ...] = 0.0
    """Time of a message between two ranks: one number, or a row of numbers for every sending rank."""
    collective: Time = 0.0
    """Time from the last rank's vocabulary pass to the moment its result is everywhere."""
    embed_forward: PerStage = 0.0
    """Time of a vocabulary pass E, per rank."""
    output_forward: PerStage = 0.5
    """Time of a vocabulary pass S, per rank."""
    output_grad: PerStage = 0.5
    """Time of a vocabulary pass T, per rank."""
    embed_grad: PerStage = 0.0
    """Time of a vocabulary pass G, per rank."""
    slices: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Share of a pass's time that each slice of a sequence takes; they add up to 1. Empty: equal shares."""
    recompute: PerStage | None = None
    """Time of recomputing a stage's activations, per stage; none: that of F."""
    offload: PerStage = 0.0
    """Time for which moving activations out holds up the rank, per stage."""
    reload: PerStage = 0.0
    """Time for which moving activations back holds up the rank, per stage."""
    gather: PerStage = 0.0
    """Time of gathering a stage's parameters, per stage."""
    reduce: PerStage = 0.0
    """Time of reducing a stage's gradients, per stage."""
    update: PerStage = 0.0
    """Time of a stage's optimizer step, per stage."""
    validate_update: PerStage = 0.0
    """Time of checking an update, per stage."""
    rollback: PerStage = 0.0
    """Time of undoing an update, per stage."""
    activation: PerStage = 1.0
    """What F stores until B or I, per stage."""
    weight_activation: PerStage = 0.0
    """The part of `activation` that I leaves until W, as a share of it, per stage."""

    @model_validator(mode="after")
    def _shares(self) -> PassCosts:
        if self.slices and abs(sum(self.slices) - 1) > 1e-6:
            raise ValueError(f"slices add up to {sum(self.slices):g}; expected 1.")
        if isinstance(self.transfer, tuple) and any(len(row) != len(self.transfer) for row in self.transfer):
            raise ValueError("transfer has rows of another length than its number of rows; expected a square.")
        shares = self.weight_activation if isinstance(self.weight_activation, tuple) else (self.weight_activation,)
        if max(shares) > 1:
            raise ValueError(f"weight_activation is {max(shares):g}; expected a share of activation, at most 1.")
        return self

    def per_stage(self, field: str, stages: int, ranks: int) -> tuple[float, ...]:
        """The values of `field` for every one of `stages` stages on `ranks` ranks.

        Raises:
            UserError: the field lists another number of values.
        """
        value = self._value(field)
        if not isinstance(value, tuple):
            return (value * ranks / stages,) * stages
        return self._listed(field, value, stages)

    def per_rank(self, field: str, ranks: int) -> tuple[float, ...]:
        """The values of a vocabulary pass's `field` for every one of `ranks` ranks.

        Raises:
            UserError: the field lists another number of values.
        """
        value = self._value(field)
        return self._listed(field, value, ranks) if isinstance(value, tuple) else (value,) * ranks

    def weight_shares(self, stages: int) -> tuple[float, ...]:
        """The share of a stage's activation that I leaves until W, for every stage.

        Raises:
            UserError: the field lists another number of values.
        """
        return self.per_rank("weight_activation", stages)

    def _listed(self, field: str, value: tuple[float, ...], count: int) -> tuple[float, ...]:
        if len(value) != count:
            raise bad_value(f"costs.{field}", list(value), f"one number, or {count} of them")
        return value

    def _value(self, field: str) -> float | tuple[float, ...]:
        value = getattr(self, field)
        if value is not None:
            return value
        if field == "backward":
            return _sum(self._value("input_grad"), self._value("weight_grad"))
        if field == "recompute":
            return self.forward
        whole = 2.0 if self.backward is None else self.backward
        return tuple(x / 2 for x in whole) if isinstance(whole, tuple) else whole / 2

    def link(self, sender: int, receiver: int) -> float:
        """Time of a message from one rank to another; none within a rank.

        Raises:
            UserError: the table of transfers has no such rank.
        """
        if sender == receiver:
            return 0.0
        if not isinstance(self.transfer, tuple):
            return self.transfer
        if max(sender, receiver) >= len(self.transfer):
            raise bad_value("costs.transfer", f"{len(self.transfer)} rows", f"at least {max(sender, receiver) + 1}")
        return self.transfer[sender][receiver]

    def slice_shares(self, slices: int) -> tuple[float, ...]:
        """The share of a pass's time that each of `slices` slices takes.

        Raises:
            UserError: the costs list another number of slices.
        """
        if not self.slices:
            return (1 / slices,) * slices
        if len(self.slices) != slices:
            raise bad_value("costs.slices", list(self.slices), f"{slices} shares that add up to 1, or none")
        return self.slices

    @cached_property
    def uniform(self) -> bool:
        """Whether every stage costs the same and every link too."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        return not any(isinstance(value, tuple) for value in fields if value != ())


def read_costs(path: Path) -> PassCosts:
    """Read costs from a TOML file whose keys are the fields of `PassCosts`.

    Raises:
        UserError: the file is missing, damaged or names something else.
    """
    import tomllib

    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; expected a TOML file of costs.") from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be read as a TOML file of costs: {why}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not a TOML file of costs: {error}.") from None
    return load(PassCosts, data, str(path))


def _sum(a: PerStage, b: PerStage) -> PerStage:
    """Both together; where one is a number and the other a list, that is refused: they would not mean the same."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        if len(a) != len(b):
            raise bad_value("costs.weight_grad", list(b), f"one number, or {len(a)} of them, as input_grad has")
        return tuple(x + y for x, y in zip(a, b, strict=True))
    if isinstance(a, tuple) or isinstance(b, tuple):
        raise UserError("costs.input_grad and costs.weight_grad are a list and one number; expected two of a kind.")
    return a + b
