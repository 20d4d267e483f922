"""Any kind of schedule by its name, with everything that composes: slices, vocabulary passes, a memory cap.

Options that a kind orders by itself go to its generator; slices and vocabulary passes are laid over the programs of
all the others. What cannot be done is refused, never left out.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from stretto.schedule.memory import peaks
from stretto.schedule.registry import KINDS, Kind
from stretto.schedule.slices import with_slices
from stretto.schedule.vocabulary import with_vocabulary
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError, bad_value, unknown_name
from stretto.spec.program import Program

_MOST: Final = 4_000_000
"""Microbatches times stages times slices: a program of so many takes some minutes and gigabytes."""
BARRIERS: Final[dict[str, Literal[1, 2]]] = {"one": 1, "two": 2}


def generate(
    kind: str,
    ranks: int,
    microbatches: int,
    *,
    chunks: int | None = None,
    slices: int | None = None,
    vocabulary: Literal["one", "two"] | None = None,
    costs: PassCosts | None = None,
    memory_cap: float | None = None,
    ratio: float | None = None,
    group: int | None = None,
    exact: bool = False,
) -> Program:
    """The program of a kind of schedule.

    Args:
        kind: a name of `schedule.registry.KINDS`.
        ranks: how many ranks the pipeline has.
        microbatches: how many microbatches a step has.
        chunks: stages that each rank holds, where the kind leaves a choice.
        slices: parts that every sequence is cut into.
        vocabulary: spread the vocabulary over all ranks, with one or two barriers a microbatch.
        costs: what passes cost, for kinds that order by it and for the memory cap; none: all the same.
        memory_cap: the most that a rank may store, in microbatches on one rank.
        ratio: for ``skip``, the share of stages that a microbatch leaves out.
        group: for interleaved kinds, how many microbatches go through a chunk in turn.
        exact: for ``zb-auto``, solve the integer program (small sizes).

    Raises:
        UserError: the kind is unknown, or its definition does not admit these sizes or options.
    """
    if kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    for name, value in (("ranks", ranks), ("microbatches", microbatches), ("chunks", chunks), ("slices", slices)):
        if value is not None and value < 1:
            raise bad_value(name, value, "at least 1")
    if vocabulary is not None and vocabulary not in BARRIERS:
        raise unknown_name("vocabulary", vocabulary, BARRIERS)
    passes = ranks * microbatches * (chunks or 1) * (slices or 1)
    if passes > _MOST:
        raise UserError(f"ranks x microbatches x chunks x slices is {passes:,}; expected at most {_MOST:,}.")
    if memory_cap is not None and not memory_cap > 0:
        raise bad_value("memory_cap", memory_cap, "more than 0")
    asked = {"chunks": chunks, "slices": slices, "memory_cap": memory_cap, "ratio": ratio, "group": group}
    asked |= {"costs": _whole(kind, costs), "exact": exact or None}
    program = _made(kind, KINDS[kind], ranks, microbatches, {n: v for n, v in asked.items() if v is not None})
    if slices is not None and program.slices != slices:
        program = with_slices(program, slices)
    if vocabulary is not None:
        program = with_vocabulary(program, BARRIERS[vocabulary], costs)
    if memory_cap is not None:
        _hold(program, costs or PassCosts(), memory_cap)
    return program


def _whole(kind: str, costs: PassCosts | None) -> PassCosts | None:
    """The costs for a kind's own order: without shares of slices, where slices are laid over it afterwards."""
    if costs is None or "slices" in KINDS[kind].options:
        return costs
    return costs.model_copy(update={"slices": ()})


def _made(name: str, kind: Kind, ranks: int, microbatches: int, asked: dict[str, Any]) -> Program:
    for option in ("ratio", "group", "exact"):
        if option in asked and option not in kind.options:
            able = ", ".join(n for n, k in KINDS.items() if option in k.options)
            raise UserError(f"{option} is {asked[option]!r}, but {name} has no such choice; it is one of {able}.")
    program = kind.make(ranks, microbatches, **{n: v for n, v in asked.items() if n in kind.options})
    chunks = program.stages * program.copies // ranks
    if asked.get("chunks", chunks) != chunks:
        raise bad_value("chunks", asked["chunks"], f"{chunks}, which is what {name} has")
    return program


def _hold(program: Program, costs: PassCosts, cap: float) -> None:
    most = peaks(program, costs)
    if max(most) > cap + 1e-9:
        rank = most.index(max(most))
        needs = f"at least {max(most):g}, what {program.kind} stores on rank {rank}"
        raise bad_value("memory_cap", cap, needs, "zb-auto and search keep to a cap")
