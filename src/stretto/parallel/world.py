"""World: the ranks of a run and what they say to each other, as a value that is passed around.

A world of one rank needs no process group and does nothing where ranks would talk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from stretto.parallel.collectives import all_gather
from stretto.parallel.cores import usable_cores
from stretto.spec.environment import launched_ranks
from stretto.spec.errors import bad_value, unknown_name

TIMEOUT_S = 600.0
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class World:
    """This process among the ranks of a run.

    Attributes:
        rank: this process, from 0.
        ranks: how many there are.
        local_rank: this process among those of its machine.
        local_ranks: how many this machine has.
        device: where this rank's tensors live.
    """

    rank: int
    ranks: int
    local_rank: int
    local_ranks: int
    device: torch.device

    def exchange(self, values: Sequence[float]) -> Tensor:
        """Everybody's numbers: [P, n] in float64 on the host, row r from rank r."""
        mine = torch.tensor([list(values)], dtype=torch.float64)
        if self.ranks == 1:
            return mine
        out = torch.empty(self.ranks, len(values), dtype=torch.float64, device=self.device)
        all_gather(out, mine.to(self.device))
        return out.cpu()

    def start_sum(self, tensor: Tensor) -> dist.Work | None:
        """Start adding `tensor` up over the ranks, in place; wait on what is returned (None: nothing to wait for)."""
        return None if self.ranks == 1 else dist.all_reduce(tensor, async_op=True)

    def gather(self, text: str, /) -> list[str] | None:
        """Everybody's text on rank 0 in rank order, None elsewhere; for small things between steps."""
        if self.ranks == 1:
            return [text]
        empty = [""] * self.ranks
        out = empty if self.rank == 0 else None
        dist.gather_object(text, out)
        return out

    def broadcast(self, text: str, /) -> str:
        """Rank 0's text, everywhere."""
        if self.ranks == 1:
            return text
        box = [text]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def barrier(self) -> None:
        """Wait for every rank."""
        if self.ranks > 1:
            dist.barrier()


@contextmanager
def join_world(device: str = "auto", threads: int | None = None, timeout_s: float = TIMEOUT_S) -> Iterator[World]:
    """Take this process's place among the launched ranks; alone if nothing launched it.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads of this rank; by default the machine's cores over its local ranks.
        timeout_s: how long a collective may wait.
    """
    place = launched_ranks()
    local_rank, local_ranks = (place.local_rank, place.local_ranks) if place else (0, 1)
    where = pick_device(device, local_rank)
    before = torch.get_num_threads()
    # Not torch's own default: launchers tell it to use one thread whatever the cores.
    torch.set_num_threads(threads or max(1, usable_cores() // local_ranks))
    try:
        if place is None or place.ranks == 1:
            yield World(0, 1, 0, 1, where)
            return
        backend = "nccl" if where.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
        try:
            yield World(place.rank, place.ranks, local_rank, local_ranks, where)
        finally:
            dist.destroy_process_group()
    finally:
        torch.set_num_threads(before)


def pick_device(device: str, local_rank: int = 0) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means for a local rank.

    Raises:
        UserError: no such name, or a GPU is asked for and there is none for this rank.
    """
    if device not in DEVICES:
        raise unknown_name("train.device", device, DEVICES)
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise bad_value("train.device", device, f"cpu, since this machine has {torch.cuda.device_count()} GPUs")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
