"""The files that `show`, `search` and `compare` can write: pictures, a page, a trace, the program itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stretto.report.writing import write_whole
from stretto.simulate.simulation import Simulation


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Pictures of one or several programs."""
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write a picture")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with zoom, memory and reasons to wait")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Everything that can be written of one program."""
    add_pictures(parser)
    parser.add_argument("--perfetto", metavar="FILE", type=Path, help="write a trace for ui.perfetto.dev")
    parser.add_argument("--program", metavar="FILE", type=Path, help="write the program as JSON")
    parser.add_argument(
        "--csv", metavar="FILE", type=Path, help="write the passes as torch.distributed.pipelining reads them"
    )
    parser.add_argument("--comms-csv", metavar="FILE", type=Path, help="write passes and communication for torch")


def write_pictures(arguments: argparse.Namespace, simulations: Sequence[Simulation], titles: Sequence[str]) -> None:
    """Write the pictures that were asked for.

    Raises:
        StrettoError: a file cannot be written.
    """
    if arguments.svg is None and arguments.html is None:
        return
    from stretto.report.html import write_html
    from stretto.report.svg import write_svg
    from stretto.report.timeline import from_simulation

    drawn = [from_simulation(s, title) for s, title in zip(simulations, titles, strict=True)]
    if arguments.svg is not None:
        write_svg(drawn, arguments.svg)
    if arguments.html is not None:
        write_html(drawn, arguments.html, title=", ".join(titles))


def write_files(arguments: argparse.Namespace, simulation: Simulation, title: str) -> None:
    """Write everything that was asked for.

    Raises:
        StrettoError: a file cannot be written.
        UserError: the program has no form that torch reads.
    """
    write_pictures(arguments, [simulation], [title])
    if arguments.perfetto is not None:
        from stretto.report.perfetto import write_perfetto

        write_perfetto(simulation.trace, arguments.perfetto)
    if arguments.program is not None:
        from stretto.spec.program_file import program_json

        write_whole(program_json(simulation.program), arguments.program)
    if arguments.csv is not None:
        from stretto.schedule.torch_csv import write_compute_csv

        write_whole(write_compute_csv(simulation.program), arguments.csv)
    if arguments.comms_csv is not None:
        from stretto.schedule.lower import lower
        from stretto.schedule.torch_csv import write_comms_csv

        write_whole(write_comms_csv(lower(simulation.program, simulation.costs)), arguments.comms_csv)


def written(arguments: argparse.Namespace) -> list[str]:
    """The names of the files that were asked for."""
    asked = (getattr(arguments, name, None) for name in ("svg", "html", "perfetto", "program", "csv", "comms_csv"))
    return [str(path) for path in asked if path is not None]
