"""The fastest matrix product that this machine was seen to do: the ceiling that a share of peak is a share of.

Square products of growing size are timed until the time is used up; the best one counts, by the clock, with 2 n^3
operations. It is what torch reaches here and now, not a data sheet's figure. About `seconds` long, whatever the speed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_SIZES = (256, 512, 1024, 2048, 4096)
_GPU_SIZES = (1024, 2048, 4096, 8192)


def measure_peak(
    dtype: torch.dtype, threads: int | None = None, seconds: float = 0.5, device: torch.device | str = "cpu"
) -> float:
    """Measure the best rate of square matrix products, in FLOP/s.

    Args:
        dtype: of both factors and of the product.
        threads: on the CPU, how many to use; by default as many as torch uses now.
        seconds: about how long to measure; at least one product is always timed.
        device: where to.
    """
    place = torch.device(device)
    sizes = _SIZES if place.type == "cpu" else _GPU_SIZES
    deadline = time.perf_counter() + seconds
    best = 0.0
    with _threads(threads), torch.inference_mode():
        for done, size in enumerate(sizes):
            share = max(0.0, deadline - time.perf_counter()) / (len(sizes) - done)
            rate, once_s = _best_rate(dtype, size, share, place)
            best = max(best, rate)
            # The next size is at least eight times the work: too slow for what is left, too slow to be the best.
            if time.perf_counter() + 8 * once_s > deadline:
                break
    return best


def _best_rate(dtype: torch.dtype, size: int, seconds: float, device: torch.device) -> tuple[float, float]:
    """The best FLOP/s of one size, and the seconds of its fastest product."""
    factors = torch.full((2, size, size), 0.5, dtype=dtype, device=device)
    product = torch.empty(size, size, dtype=dtype, device=device)
    end = time.perf_counter() + seconds
    fastest = float("inf")
    while True:
        start = time.perf_counter()
        torch.matmul(factors[0], factors[1], out=product)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        fastest = min(fastest, time.perf_counter() - start)
        if time.perf_counter() >= end:
            return 2 * size**3 / fastest, fastest


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
