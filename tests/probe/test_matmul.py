import time

import pytest
import torch

from stretto.probe.matmul import measure_peak


def test_a_rate_is_that_of_a_machine():
    assert 1e8 < measure_peak(torch.float32, seconds=0.1) < 1e14


def test_it_ends_in_time_and_leaves_the_threads_alone():
    threads, start = torch.get_num_threads(), time.perf_counter()
    measure_peak(torch.float32, threads=1, seconds=0.1)
    assert time.perf_counter() - start < 2
    assert torch.get_num_threads() == threads


def test_the_best_rate_is_reached_by_a_plain_product():
    """The rate is honest: timing the same product by hand, at leisure, comes within a factor of two."""
    a = torch.full((512, 512), 0.5)
    rates = []
    for _ in range(50):
        start = time.perf_counter()
        a @ a
        rates.append(2 * 512**3 / (time.perf_counter() - start))
    peak = measure_peak(torch.float32, seconds=0.2)
    assert 0.5 * max(rates) < peak < 20 * max(rates)


@pytest.mark.gpu
def test_a_gpu_is_faster_than_the_cpu():
    on_cpu = measure_peak(torch.float32, seconds=0.2)
    assert measure_peak(torch.bfloat16, seconds=0.5, device="cuda") > on_cpu


def test_the_slowest_arithmetic_still_ends():
    start = time.perf_counter()
    assert measure_peak(torch.float16, seconds=0.05) > 0
    assert time.perf_counter() - start < 10
