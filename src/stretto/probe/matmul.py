"""The fastest matrix product that this machine was seen to do: the ceiling that a share of peak is a share of.

Square products of several sizes take turns until the time is used up; the best one counts, by the clock, with 2 n^3
operations. It is what torch reaches here and now, not a data sheet's figure. They take turns because others may use
the machine too: a small product fits between two interruptions, a large one reaches what a small one cannot. About
`seconds` long, whatever the speed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

import torch
from jaxtyping import Shaped
from torch import Tensor

# Each is twice the one before it, so its product is eight times the work.
_CPU_SIZES = (256, 512, 1024, 2048)
_GPU_SIZES = (1024, 2048, 4096, 8192)
_GROWTH = 8
_TURNS = 5


def measure_peak(
    dtype: torch.dtype, threads: int | None = None, seconds: float = 0.5, device: torch.device | str = "cpu"
) -> float:
    """Measure the best rate of square matrix products, in FLOP/s.

    Args:
        dtype: of both factors and of the product.
        threads: on the CPU, how many to use; by default as many as torch uses now.
        seconds: about how long to measure; the smallest product is timed at least once.
        device: where to.
    """
    place = torch.device(device)
    sizes = _GPU_SIZES if place.type == "cuda" else _CPU_SIZES
    turn_s = seconds / (_TURNS * len(sizes))
    with _threads(threads), torch.inference_mode():
        factors = {size: torch.full((2, size, size), 0.5, dtype=dtype, device=place) for size in sizes}
        fastest_product_s(factors[sizes[0]], 0)  # the first one also starts threads and loads kernels
        fastest_s = {sizes[0]: fastest_product_s(factors[sizes[0]], 0)}
        deadline = time.perf_counter() + seconds
        for size in cycle(sizes):
            expected_s = fastest_s.get(size, _GROWTH * fastest_s.get(size // 2, float("inf")))
            if time.perf_counter() + expected_s <= deadline:
                taken_s = fastest_product_s(factors[size], turn_s)
                fastest_s[size] = min(taken_s, fastest_s.get(size, taken_s))
            elif size == sizes[0]:
                break
    return max(2 * size**3 / taken_s for size, taken_s in fastest_s.items())


def fastest_product_s(factors: Shaped[Tensor, "2 n n"], seconds: float) -> float:
    """The seconds of the fastest of as many products of two square matrices as take `seconds`, at least one."""
    end, fastest_s = time.perf_counter() + seconds, float("inf")
    product = torch.empty_like(factors[0])
    while True:
        start = time.perf_counter()
        torch.matmul(factors[0], factors[1], out=product)
        if factors.is_cuda:
            torch.cuda.synchronize(factors.device)
        fastest_s = min(fastest_s, time.perf_counter() - start)
        if time.perf_counter() >= end:
            return fastest_s


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
