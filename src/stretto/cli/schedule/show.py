"""`stretto schedule show KIND`: make one schedule, verify it, run it in virtual time, draw it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stretto.cli.schedule.figures import figures, told
from stretto.cli.schedule.output import add_files, write_files, written
from stretto.cli.schedule.sizes import add_choices, add_costs, add_sizes, choices_of, costs_of
from stretto.cli.show import emit, table
from stretto.schedule.generate import generate
from stretto.schedule.verify import verify
from stretto.simulate.programs import simulate
from stretto.spec.errors import StrettoError

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.simulate.simulation import Simulation

_MOST_LANES = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A kind, its sizes and costs, and the files to write."""
    parser.add_argument("kind", metavar="KIND", help="a kind of schedule; stretto schedule list names them")
    add_sizes(parser)
    add_choices(parser)
    add_costs(parser)
    add_files(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show one schedule."""
    costs = costs_of(arguments)
    program = generate(arguments.kind, arguments.ranks, arguments.microbatches, costs=costs, **choices_of(arguments))
    verification = verify(program, costs)
    for name, finding in verification.findings.items():
        raise StrettoError(f"the program of {program.kind} is wrong ({name}): {finding.sentence}")
    simulation = simulate(program, costs)
    title = f"{program.kind}, {arguments.ranks} ranks, {arguments.microbatches} microbatches"
    write_files(arguments, simulation, title)
    files = written(arguments)
    emit(arguments, figures(simulation, verification), lambda out: present(out, simulation, title, files))
    return 0


def present(out: Console, simulation: Simulation, title: str, files: list[str]) -> None:
    """Draw the timeline where it fits, and the figures under it."""
    if len(simulation.pieces) <= _MOST_LANES:
        from stretto.report.terminal import print_timeline
        from stretto.report.timeline import from_simulation

        print_timeline(from_simulation(simulation, title), out)
    table(out, ("", ""), told(simulation))
    for path in files:
        out.print(f"written: {path}", markup=False)
