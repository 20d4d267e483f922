"""Whether a program is right before it runs: three verdicts, and the peak of activation memory.

order        every pass once, where it belongs, after what it needs, and no ring of ranks waiting for each other
buffered     its messages work where sends are buffered
rendezvous   its messages work where a send waits for its receive

A program that fails comes with a counterexample. A program's own lowering is judged, or, for a file that states its
communication, what the file states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stretto.schedule.complete import faults
from stretto.schedule.finding import Finding, Stuck, ring, told
from stretto.schedule.graph import Graph, blocked, build
from stretto.schedule.judge import judge
from stretto.schedule.lower import lower
from stretto.schedule.memory import peaks
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError, bad_value
from stretto.spec.lowered import Exchange, Lowered, Send
from stretto.spec.program import Program
from stretto.spec.program_file import check_indices
from stretto.spec.program_text import write_record


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdicts on a program: None is good, else a counterexample. An order that is not good ends the search."""

    program: Program
    order: Finding | None
    buffered: Finding | None
    rendezvous: Finding | None
    memory: Finding | None
    """A rank whose peak is over the cap."""
    peaks: tuple[float, ...]
    """Per rank the most activations that it stores, in microbatches on one rank."""
    messages: int
    """Sends between ranks."""
    graph: Graph | None = None
    lowered: Lowered | None = None

    @property
    def good(self) -> bool:
        """Whether every verdict is good."""
        return not self.findings

    @property
    def findings(self) -> dict[str, Finding]:
        """The verdicts that are not good."""
        named = {name: getattr(self, name) for name in ("order", "buffered", "rendezvous", "memory")}
        return {name: finding for name, finding in named.items() if finding is not None}


def verify(
    program: Program | Lowered, costs: PassCosts | None = None, memory_cap: float | Sequence[float] | None = None
) -> Verification:
    """Judge a program, or a program whose communication is written out.

    Args:
        program: what to judge; a `Lowered` is judged as written.
        costs: whose memory the peaks are, and whose times order the messages of a lowering.
        memory_cap: the most that a rank may store, or that each rank may.
    """
    costs = costs or PassCosts()
    written = program if isinstance(program, Lowered) else None
    value = written.program if written else program
    assert isinstance(value, Program)
    graph, wrong = _order(value)
    if wrong is not None or graph is None:
        return Verification(value, wrong, None, None, None, (), 0, graph)
    lowered = written or lower(graph, costs)
    rendezvous = judge(lowered, graph, rendezvous=True)
    buffered = judge(lowered, graph, rendezvous=False) if rendezvous else None
    most = peaks(value, costs)
    messages = sum(isinstance(step, Send | Exchange) for steps in lowered.ranks for step in steps)
    over = _over(most, memory_cap)
    return Verification(value, None, buffered, rendezvous, over, most, messages, graph, lowered)


def verified(program: Program, costs: PassCosts | None = None) -> Program:
    """The program, if it is good.

    Raises:
        UserError: the first verdict that is not, in words.
    """
    for name, finding in verify(program, costs).findings.items():
        raise UserError(f"the program is wrong ({name}): {finding.sentence}")
    return program


def _order(program: Program) -> tuple[Graph | None, Finding | None]:
    try:
        check_indices(program)
    except UserError as error:
        return None, Finding(str(error))
    graph = build(program)
    wrong = next(faults(graph), None)
    if wrong is None and not graph.acyclic:
        wrong = _ring(graph)
    return graph, wrong


def _ring(graph: Graph) -> Finding:
    """The ranks that wait for each other."""
    steps: dict[int, Stuck] = {}
    done = set(graph.order)
    for node, first in blocked(graph):
        rank, needed = graph.rank[node], first
        while needed >= len(graph.records):
            needed = next(i for i in graph.inputs[needed] if i not in done)
        text, wanted = write_record(graph.records[node]), write_record(graph.records[needed])
        holder = graph.rank[needed]
        steps[rank] = Stuck(rank, node - graph.first[rank], text, f"{wanted} of rank {holder}", holder)
    found = ring(steps)
    return Finding(told(found), found)


def _over(most: tuple[float, ...], cap: float | Sequence[float] | None) -> Finding | None:
    if cap is None:
        return None
    caps = (cap,) * len(most) if isinstance(cap, int | float) else tuple(cap)
    if len(caps) != len(most):
        raise bad_value("memory_cap", list(caps), f"one number, or {len(most)} of them")
    for rank, (level, limit) in enumerate(zip(most, caps, strict=True)):
        if level > limit + 1e-9:
            return Finding(f"rank {rank} stores {level:g} microbatches at once; the cap is {limit:g}.")
    return None
