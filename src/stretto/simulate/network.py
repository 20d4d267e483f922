"""Network: what carries the messages between ranks, where a simulation is to feel its bandwidth.

Times are in the unit of the pass costs, and the bandwidth is in bytes per that unit. Where messages share a wire they
slow each other down (`simulate.links`); the published models of pipelines leave this out (Qi et al. 2023, section 2).
Collectives take the time that the costs say and do not share wires with messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from stretto.simulate.links import Contention
from stretto.spec.costs import PassCosts, Time
from stretto.spec.errors import bad_value
from stretto.spec.program import Compute, Program
from stretto.spec.value import Value

Shared: TypeAlias = Literal["pair", "rank", "all"]
"""Which messages are on one wire: those from one rank to one other, all that a rank sends, or all there are."""


class Network(Value):
    """Latency, bandwidth and the sizes of messages."""

    latency: Time | tuple[tuple[Time, ...], ...] | None = None
    """Time of a message without bytes: one number, or a row for every sending rank; none: the costs' `transfer`."""
    bandwidth: Annotated[float, Field(gt=0)] | None = None
    """Bytes per unit of time of every wire; none: sizes do not matter."""
    message_bytes: Time | Annotated[tuple[Time, ...], Field(min_length=1)] = 0.0
    """Bytes of one microbatch's activations, or their gradient, between two stages; or a list, whose number n is for
    what stage n hands to the next on the path. A slice has its part of them, all slices the same."""
    contention: Contention = "fair"
    """What messages on one wire do to each other."""
    shared: Shared = "rank"
    """Which messages are on one wire."""

    @model_validator(mode="after")
    def _sizes_matter(self) -> Network:
        sizes = self.message_bytes if isinstance(self.message_bytes, tuple) else (self.message_bytes,)
        if (self.bandwidth is None) != (max(sizes) == 0):
            raise ValueError("bandwidth and message_bytes have an effect only together; expected both or neither.")
        return self

    def hops(self, costs: PassCosts) -> PassCosts:
        """The costs with this network's latency as the time of a message.

        Raises:
            UserError: both give one, and they differ.
        """
        if self.latency is None or self.latency == costs.transfer:
            return costs
        if costs.transfer != 0:
            raise bad_value("costs.transfer", costs.transfer, "0 where the network has a latency", "it takes its place")
        return PassCosts.model_validate({**costs.model_dump(exclude_unset=True), "transfer": self.latency})

    def sizes(self, program: Program) -> Callable[[Compute, int], float]:
        """The bytes of the message from a pass to a reading stage, as a function of both.

        Raises:
            UserError: `message_bytes` lists another number of boundaries.
        """
        whole, slices = self.message_bytes, program.slices
        if not isinstance(whole, tuple):
            return lambda what, reader: whole / slices
        if len(whole) != program.stages - 1:
            expected = f"one number, or {program.stages - 1} of them: one between every two stages"
            raise bad_value("network.message_bytes", list(whole), expected)
        return lambda what, reader: whole[what.stage if what.kind == "F" else reader] / slices

    def wire(self, sender: int, receiver: int) -> tuple[int, ...]:
        """What tells the wire of a message from others."""
        return {"pair": (sender, receiver), "rank": (sender,), "all": ()}[self.shared]
