"""[optimizer] and [lr_schedule]: how parameters change. `train` obeys both."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stretto.spec.value import Value

Beta = Annotated[float, Field(ge=0, lt=1)]


class AdamW(Value):
    """AdamW (Loshchilov and Hutter 2019) for every parameter; norm scales are not decayed."""

    kind: Literal["adamw"] = "adamw"
    lr: float = Field(default=3e-3, gt=0)
    """Peak learning rate."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    """Decay of the first and second moment."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled decay of matrices."""


class AdamWBesideMuon(AdamW):
    """AdamW with the defaults that suit what Muon leaves to it."""

    lr: float = Field(default=6e-3, gt=0)
    """Peak learning rate."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled decay of matrices."""


class Muon(Value):
    """Muon (Jordan et al. 2024) for the layers' matrices; AdamW for embedding, head and norm scales."""

    kind: Literal["muon"] = "muon"
    lr: float = Field(default=0.02, gt=0)
    """Peak learning rate of the matrices, times sqrt(max(1, rows / columns))."""
    momentum: float = Field(default=0.95, ge=0, lt=1)
    """Nesterov momentum of the matrices."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled decay of the matrices."""
    adamw: AdamWBesideMuon = AdamWBesideMuon()
    """For everything that is not a layer's matrix."""


Optimizer = Annotated[AdamW | Muon, Field(discriminator="kind")]


class Constant(Value):
    """Warm up, then stay."""

    kind: Literal["constant"] = "constant"
    warmup: float = Field(default=0.02, ge=0, le=1)
    """Share of the run over which the rate grows from zero."""


class Linear(Value):
    """Warm up, then fall in a straight line."""

    kind: Literal["linear"] = "linear"
    warmup: float = Field(default=0.02, ge=0, le=1)
    """Share of the run over which the rate grows from zero."""
    final: float = Field(default=0.0, ge=0, le=1)
    """Last rate as a share of the peak."""


class Cosine(Value):
    """Warm up, then fall along half a cosine (Loshchilov and Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    warmup: float = Field(default=0.02, ge=0, le=1)
    """Share of the run over which the rate grows from zero."""
    final: float = Field(default=0.1, ge=0, le=1)
    """Last rate as a share of the peak."""


class WSD(Value):
    """Warm up, stay, then decay in a straight line (Hu et al. 2024)."""

    kind: Literal["wsd"] = "wsd"
    warmup: float = Field(default=0.02, ge=0, le=1)
    """Share of the run over which the rate grows from zero."""
    decay: float = Field(default=0.4, gt=0, le=1)
    """Share of the run, at its end, over which the rate falls."""
    final: float = Field(default=0.0, ge=0, le=1)
    """Last rate as a share of the peak."""


LrSchedule = Annotated[Constant | Linear | Cosine | WSD, Field(discriminator="kind")]
