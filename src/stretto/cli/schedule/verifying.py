"""`stretto schedule verify FILE`: three verdicts on a program, its peak of memory, and a counterexample where it fails.

The file is a program as JSON, or a schedule file (CSV) of torch.distributed.pipelining; one that states its
communication is judged as written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.cli.schedule.figures import figures, told
from stretto.cli.schedule.sizes import add_costs, costs_of
from stretto.cli.show import emit, table
from stretto.schedule.verify import Verification, verify
from stretto.simulate.programs import simulate
from stretto.spec.errors import bad_value

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.spec.lowered import Lowered
    from stretto.spec.program import Program

_VERDICTS = ("order", "buffered", "rendezvous")
_MEANING = {
    "order": "every pass once, where it belongs, after what it needs",
    "buffered": "messages work where sends are buffered",
    "rendezvous": "messages work where a send waits for its receive",
    "memory": "no rank stores more than the cap",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A file, costs and a picture."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a program (.json), or a schedule of torch (.csv)")
    add_costs(parser)
    parser.add_argument("--svg", metavar="FILE", type=Path, help="draw the counterexample, or a good program")


def run(arguments: argparse.Namespace) -> int:
    """Judge a file; exit code 1 where it is wrong."""
    costs = costs_of(arguments)
    if arguments.memory_cap is not None and not arguments.memory_cap > 0:
        raise bad_value("--memory-cap", arguments.memory_cap, "more than 0")
    found = verify(read(arguments.file), costs, arguments.memory_cap)
    data: dict[str, Any] = {"file": str(arguments.file), "good": found.good, **_verdicts(found, arguments.memory_cap)}
    simulation = simulate(found.program, costs) if found.order is None else None
    data["peak_activation"] = list(found.peaks)
    data["simulation"] = figures(simulation) if simulation else None
    if arguments.svg is not None:
        _draw(found, simulation, arguments.svg)

    def show(out: Console) -> None:
        rows = [(name, "good" if data[name]["good"] else "wrong", _MEANING[name]) for name in _MEANING if name in data]
        table(out, ("verdict", "", "what it says"), rows)
        _show_findings(out, found)
        if simulation is not None:
            table(out, ("", ""), told(simulation))
        if arguments.svg is not None:
            out.print(f"written: {arguments.svg}", markup=False)

    emit(arguments, data, show)
    return 0 if found.good else 1


def read(path: Path) -> Program | Lowered:
    """The program that a file holds.

    Raises:
        UserError: the file is missing or damaged, or holds something else.
    """
    if path.suffix == ".csv":
        from stretto.schedule.torch_csv import read_torch_csv

        return read_torch_csv(path)
    from stretto.spec.program_file import read_program

    return read_program(path)


def _verdicts(found: Verification, cap: float | None) -> dict[str, Any]:
    names = _VERDICTS if found.order is None else ("order",)
    names += ("memory",) if cap is not None and found.order is None else ()
    return {
        name: {
            "good": name not in found.findings,
            "why": found.findings[name].sentence if name in found.findings else "",
            "steps": list(found.findings[name].steps) if name in found.findings else [],
        }
        for name in names
    }


def _show_findings(out: Console, found: Verification) -> None:
    from stretto.report.counterexample import print_finding

    for name, finding in found.findings.items():
        out.print(f"\n{name}: {finding.sentence}", markup=False)
        print_finding(found, finding, out)


def _draw(found: Verification, simulation: Any, path: Path) -> None:
    if found.good:
        from stretto.report.svg import write_svg
        from stretto.report.timeline import from_simulation

        write_svg([from_simulation(simulation, found.program.kind or path.stem)], path)
        return
    from stretto.report.counterexample import write_finding

    write_finding(found, next(iter(found.findings.values())), path)
