"""`stretto schedule compare KIND KIND ...`: several schedules at the same sizes and costs, as a table and a picture."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stretto.cli.schedule.figures import figures
from stretto.cli.schedule.output import add_pictures, write_pictures, written
from stretto.cli.schedule.sizes import add_choices, add_costs, add_sizes, choices_of, costs_of
from stretto.cli.show import emit, table
from stretto.schedule.generate import generate
from stretto.schedule.registry import KINDS
from stretto.schedule.verify import verified
from stretto.simulate.programs import simulate
from stretto.simulate.simulation import Simulation
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError, unknown_name

if TYPE_CHECKING:
    from rich.console import Console

_OWN = ("chunks", "group", "ratio", "exact")
"""Choices that only some kinds have; they go to those, and at least one must be among the compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Kinds, their sizes and costs."""
    parser.add_argument("kinds", metavar="KIND", nargs="+", help="kinds of schedules; all: every one")
    add_sizes(parser)
    add_choices(parser)
    add_costs(parser)
    add_pictures(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare kinds."""
    kinds = list(KINDS) if arguments.kinds == ["all"] else list(dict.fromkeys(arguments.kinds))
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("kind", kind, KINDS)
    asked, costs = choices_of(arguments), costs_of(arguments)
    for name in _OWN:
        if name in asked and not any(name in KINDS[kind].options for kind in kinds):
            raise UserError(f"--{name} is given, but none of {', '.join(kinds)} has such a choice.")
    made, refused = _make(kinds, arguments.ranks, arguments.microbatches, asked, costs)
    if not made:
        raise UserError(next(iter(refused.values())))
    write_pictures(arguments, list(made.values()), list(made))
    data = {"schedules": [figures(s) for s in made.values()], "refused": refused}
    emit(arguments, data, lambda out: _present(out, made, refused, written(arguments)))
    return 0


def _make(
    kinds: list[str], ranks: int, microbatches: int, asked: dict[str, Any], costs: PassCosts
) -> tuple[dict[str, Simulation], dict[str, str]]:
    made: dict[str, Simulation] = {}
    refused: dict[str, str] = {}
    for kind in kinds:
        mine = {name: value for name, value in asked.items() if name not in _OWN or name in KINDS[kind].options}
        try:
            made[kind] = simulate(verified(generate(kind, ranks, microbatches, costs=costs, **mine), costs), costs)
        except UserError as error:
            refused[kind] = str(error)
    return made, refused


def _present(out: Console, made: dict[str, Simulation], refused: dict[str, str], files: list[str]) -> None:
    from stretto.report.terminal import print_timeline
    from stretto.report.timeline import from_simulation

    for kind, simulation in made.items():
        if out.is_terminal:
            print_timeline(from_simulation(simulation, kind), out)
            out.print()
    best = min(simulation.makespan for simulation in made.values())
    columns = ("kind", "makespan", "to the best", "bubble", "bubble of span", "peak", "messages", "copies")
    rows = [
        (
            kind,
            f"{s.makespan:.6g}",
            f"{s.makespan / best:.3f}" if best else "1.000",
            f"{s.bubble_rate_makespan:.4f}",
            f"{s.bubble_rate_span:.4f}",
            f"{max(s.peaks):.4g}",
            f"{s.transfers:,}",
            s.program.copies,
        )
        for kind, s in sorted(made.items(), key=lambda item: item[1].makespan)
    ]
    table(out, columns, rows, numbers=columns[1:])
    for kind, why in refused.items():
        out.print(f"not there: {kind}: {why}", markup=False)
    for path in files:
        out.print(f"written: {path}", markup=False)
