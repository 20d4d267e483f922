"""Every kind of schedule: its name -> its generator and what it can be asked for. A new kind is one file and one line.

A generator is a pure function from sizes to a program: ``make(ranks, microbatches, **options)``. It is given only the
options that its line names, and only where they were asked for; it refuses sizes that its definition does not admit
with a `UserError` that says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from stretto.schedule.generators.bitpipe import bitpipe
from stretto.schedule.generators.breadth_first import breadth_first
from stretto.schedule.generators.chimera import chimera
from stretto.schedule.generators.dualpipe import dualpipe
from stretto.schedule.generators.dualpipe_v import dualpipe_v
from stretto.schedule.generators.forward_only import forward_only
from stretto.schedule.generators.gpipe import gpipe
from stretto.schedule.generators.interleaved import interleaved
from stretto.schedule.generators.interleaved_zb import interleaved_zb
from stretto.schedule.generators.one_f_one_b import one_f_one_b
from stretto.schedule.generators.pipedream import pipedream
from stretto.schedule.generators.pipelined_backprop import pipelined_backprop
from stretto.schedule.generators.skip import skip
from stretto.schedule.generators.sliced import sliced
from stretto.schedule.generators.sliced_zb import sliced_zb
from stretto.schedule.generators.v_half import v_half
from stretto.schedule.generators.v_min import v_min
from stretto.schedule.generators.zb_auto import zb_auto
from stretto.schedule.generators.zb_h1 import zb_h1
from stretto.schedule.generators.zb_h2 import zb_h2
from stretto.schedule.generators.zb_v import zb_v
from stretto.spec.program import Program

Option: TypeAlias = Literal["chunks", "slices", "costs", "memory_cap", "ratio", "group", "exact"]


class Kind(NamedTuple):
    """A schedule that can be generated."""

    make: Callable[..., Program]
    summary: str
    """What it is, in one line."""
    source: str
    """The paper that describes it."""
    options: frozenset[Option] = frozenset()
    """What it takes beyond ranks and microbatches. `slices` here: it orders slices itself."""


KINDS: Final[dict[str, Kind]] = {
    "gpipe": Kind(gpipe, "all forwards, then all backwards", "Huang et al. 2019, GPipe"),
    "1f1b": Kind(
        one_f_one_b,
        "backwards as early as they can be; stores p - d microbatches",
        "Narayanan et al. 2021, Megatron-LM",
    ),
    "interleaved-1f1b": Kind(
        interleaved,
        "1F1B over several chunks a rank, groups of microbatches in turn",
        "Narayanan et al. 2021, Megatron-LM",
        frozenset({"chunks", "group"}),
    ),
    "breadth-first": Kind(
        breadth_first,
        "all microbatches through one chunk after the other",
        "Lamy-Poirier 2023, Breadth-First Pipeline Parallelism",
        frozenset({"chunks"}),
    ),
    "zb-h1": Kind(
        zb_h1, "backward in halves, in the memory of 1F1B", "Qi et al. 2023, Zero Bubble Pipeline Parallelism"
    ),
    "zb-h2": Kind(
        zb_h2,
        "backward in halves, no bubble in twice the memory of 1F1B",
        "Qi et al. 2023, Zero Bubble Pipeline Parallelism",
    ),
    "zb-auto": Kind(
        zb_auto,
        "backward in halves, the order found for the costs at hand under a cap on memory",
        "Qi et al. 2023, Zero Bubble Pipeline Parallelism",
        frozenset({"costs", "memory_cap", "exact"}),
    ),
    "zb-v": Kind(
        zb_v,
        "two chunks a rank in a V: no bubble in the memory of 1F1B where all passes take equal time",
        "Qi et al. 2023, Zero Bubble Pipeline Parallelism",
    ),
    "v-half": Kind(
        v_half,
        "two chunks a rank in a V, half the activations of 1F1B",
        "Qi et al. 2024, Pipeline Parallelism with Controllable Memory",
        frozenset({"costs"}),
    ),
    "v-min": Kind(
        v_min,
        "two chunks a rank in a V, a third of the activations of 1F1B",
        "Qi et al. 2024, Pipeline Parallelism with Controllable Memory",
        frozenset({"costs"}),
    ),
    "interleaved-zb": Kind(
        interleaved_zb,
        "ZB-H1 over several chunks a rank",
        "Qi et al. 2023, Zero Bubble Pipeline Parallelism; PyTorch",
        frozenset({"chunks", "group"}),
    ),
    "bitpipe": Kind(
        bitpipe,
        "two V-shaped directions, four chunks a rank; twice the weights",
        "Wu et al. 2024, BitPipe",
    ),
    "chimera": Kind(
        chimera, "two directions merged without conflicts; twice the weights", "Li and Hoefler 2021, Chimera"
    ),
    "dualpipe": Kind(
        dualpipe,
        "two directions, forwards paired with backwards so that transfers hide; twice the weights",
        "DeepSeek-AI 2024, DeepSeek-V3 Technical Report",
    ),
    "dualpipe-v": Kind(
        dualpipe_v, "DualPipe folded into a V: one set of weights", "Sea AI Lab 2025, DualPipeV; DeepSeek-AI, DualPipe"
    ),
    "sliced-1f1b": Kind(
        sliced, "1F1B over slices of every sequence", "Sun et al. 2024, Seq1F1B", frozenset({"slices"})
    ),
    "sliced-zb": Kind(
        sliced_zb, "ZB-H1 over slices of every sequence", "Sun et al. 2024, Seq1F1B", frozenset({"slices"})
    ),
    "skip": Kind(
        skip,
        "every microbatch leaves out some stages, on paths that do not collide",
        "Blagoev et al. 2025, SkipPipe",
        frozenset({"ratio", "costs"}),
    ),
    "pipedream": Kind(
        pipedream,
        "asynchronous: an update after every microbatch, older weights stashed",
        "Narayanan et al. 2019, PipeDream",
    ),
    "pipelined-backprop": Kind(
        pipelined_backprop,
        "asynchronous: an update after every microbatch, one set of weights",
        "Kosson et al. 2021, Pipelined Backpropagation at Scale",
    ),
    "forward-only": Kind(
        forward_only,
        "inference: ranks never wait for results to come back",
        "Huang et al. 2019, GPipe, without its backward",
        frozenset({"chunks"}),
    ),
}
