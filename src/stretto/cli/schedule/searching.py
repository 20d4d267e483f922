"""`stretto schedule search`: the best program found for given costs under a memory cap, and how far it may be off."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stretto.cli.schedule.figures import figures
from stretto.cli.schedule.output import add_files, write_files, written
from stretto.cli.schedule.show import present
from stretto.cli.schedule.sizes import add_costs, add_sizes, costs_of
from stretto.cli.show import Advance, emit, progress, table
from stretto.schedule.verify import verified
from stretto.simulate.programs import simulate
from stretto.spec.errors import bad_value

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.schedule.search import Found
    from stretto.simulate.simulation import Simulation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, costs, a cap and a time limit."""
    add_sizes(parser)
    add_costs(parser)
    parser.add_argument(
        "--chunks", metavar="N", type=int, nargs="+", default=[1, 2], help="stages a rank to try (default 1 2)"
    )
    parser.add_argument(
        "--measure",
        choices=("makespan", "span"),
        default="makespan",
        help="what to make short: the whole step (default), or the longest span of a rank",
    )
    parser.add_argument("--seconds", metavar="S", type=float, default=5.0, help="time limit (default 5)")
    add_files(parser)


class _Told:
    """Turns what the search tells (seconds so far, best value) into progress."""

    def __init__(self, advance: Advance, limit: float) -> None:
        self.advance, self.limit, self.done = advance, limit, 0.0

    def __call__(self, seconds: float, best: float) -> None:
        done = min(100 * seconds / self.limit, 100.0)
        self.advance(done - self.done, f"best {best:.6g}")
        self.done = done


def run(arguments: argparse.Namespace) -> int:
    """Search."""
    from stretto.schedule.search import search

    if arguments.memory_cap is not None and not arguments.memory_cap > 0:
        raise bad_value("--memory-cap", arguments.memory_cap, "more than 0")
    if not arguments.seconds > 0:
        raise bad_value("--seconds", arguments.seconds, "more than 0")
    costs = costs_of(arguments)
    with progress("searching, % of the time", 100) as advance:
        told = _Told(advance, arguments.seconds)
        found = search(
            costs,
            ranks=arguments.ranks,
            microbatches=arguments.microbatches,
            memory_cap=arguments.memory_cap,
            chunks=tuple(arguments.chunks),
            measure=arguments.measure,
            seconds=arguments.seconds,
            progress=told,
        )
    simulation = simulate(verified(found.program, costs), costs)
    title = f"found, {arguments.ranks} ranks, {arguments.microbatches} microbatches"
    write_files(arguments, simulation, title)
    data: dict[str, Any] = figures(simulation) | {
        "measure": arguments.measure,
        "value": found.value,
        "search_lower_bound": found.lower_bound,
        "gap": found.gap,
        "seconds": found.seconds,
        "trials": found.trials,
        "tried": [{"name": name, "value": value, "peak": peak} for name, value, peak in found.tried],
    }
    emit(arguments, data, lambda out: _present(out, found, simulation, title, written(arguments)))
    return 0


def _present(out: Console, found: Found, simulation: Simulation, title: str, files: list[str]) -> None:
    present(out, simulation, title, files)
    rows = [(name, f"{value:.6g}", f"{peak:.4g}") for name, value, peak in sorted(found.tried, key=lambda t: t[1])]
    out.print()
    table(out, ("tried", "value", "peak"), rows, numbers=("value", "peak"))
    rest = f"with its placement none is below {found.lower_bound:.6g}: at most {found.gap:.2%} to gain."
    out.print(f"found {found.value:.6g}; {rest}")
