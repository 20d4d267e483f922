"""The figures of a simulated program, for machines and for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stretto.simulate.simulation import CAUSES, Simulation
from stretto.spec.program import passes

if TYPE_CHECKING:
    from stretto.schedule.verify import Verification


def figures(simulation: Simulation, verification: Verification | None = None) -> dict[str, Any]:
    """Name -> figure. Times have the costs' unit; `peak_activation` is in microbatches on one rank, one a rank."""
    program = simulation.program
    found: dict[str, Any] = {
        "kind": program.kind,
        "ranks": len(program.ranks),
        "microbatches": program.microbatches,
        "chunks": program.stages * program.copies // len(program.ranks),
        "copies": program.copies,
        "slices": program.slices,
        "barriers": program.barriers,
        "makespan": simulation.makespan,
        "bubble_rate_makespan": simulation.bubble_rate_makespan,
        "bubble_rate_span": simulation.bubble_rate_span,
        "span": simulation.span,
        "peak_activation": list(simulation.peaks),
        "transfers": simulation.transfers,
        "passes": sum(1 for _ in passes(program)),
        "lower_bound": simulation.lower_bound,
        "busy": list(simulation.busy),
        "idle": list(simulation.causes),
    }
    if verification is not None:
        found["verified"] = verification.good
    return found


def told(simulation: Simulation) -> Iterator[tuple[str, str]]:
    """(name, value) for people."""
    found = figures(simulation)
    bound = found["lower_bound"]
    over = f", {round(100 * (found['makespan'] / bound - 1), 4):.3g}% above the lower bound" if bound else ""
    yield "makespan", f"{found['makespan']:.6g}{over}"
    yield "bubble of the makespan", f"{found['bubble_rate_makespan']:.4f}"
    yield "bubble of the longest span", f"{found['bubble_rate_span']:.4f} (span {found['span']:.6g})"
    yield "idle because of", causes(simulation) or "nothing: no rank waits"
    low, high = min(simulation.peaks), max(simulation.peaks)
    peak = f"{high:.4g}" if high == low else f"{low:.4g} to {high:.4g}"
    yield "activations at the peak", f"{peak} microbatches on a rank"
    yield "passes, messages", f"{found['passes']:,}, {found['transfers']:,}"


def causes(simulation: Simulation) -> str:
    """Why ranks were idle, as shares of all ranks' time."""
    whole = simulation.makespan * len(simulation.pieces)
    sums = {cause: sum(rank[cause] for rank in simulation.causes) for cause in CAUSES}
    return ", ".join(f"{c} {v / whole:.1%}" for c, v in sums.items() if whole and v / whole > 5e-4)
