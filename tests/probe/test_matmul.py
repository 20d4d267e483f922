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


def test_the_rate_is_that_of_a_product_timed_by_hand():
    """Taken in turns, since others may use this machine: the best of both are alike."""
    a = torch.full((1024, 1024), 0.5)
    by_hand, measured = 0.0, 0.0
    for _ in range(8):
        start = time.perf_counter()
        a @ a
        by_hand = max(by_hand, 2 * 1024**3 / (time.perf_counter() - start))
        measured = max(measured, measure_peak(torch.float32, seconds=0.1))
        if 0.4 < measured / by_hand < 10:
            return
    raise AssertionError(f"measured {measured:.3g} FLOP/s, by hand {by_hand:.3g}")


@pytest.mark.gpu
def test_a_gpu_is_faster_than_the_cpu():
    on_cpu = measure_peak(torch.float32, seconds=0.2)
    assert measure_peak(torch.bfloat16, seconds=0.5, device="cuda") > on_cpu


def test_the_slowest_arithmetic_still_ends():
    start = time.perf_counter()
    assert measure_peak(torch.float16, seconds=0.05) > 0
    assert time.perf_counter() - start < 10
