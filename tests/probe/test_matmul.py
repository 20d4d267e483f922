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
    """On one thread and in turns, since others may use this machine: the best of both are alike."""
    a = torch.full((512, 512), 0.5)
    by_hand, measured, threads = 0.0, 0.0, torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(8):
        for _ in range(20):
            start = time.perf_counter()
            a @ a
            by_hand = max(by_hand, 2 * 512**3 / (time.perf_counter() - start))
        measured = max(measured, measure_peak(torch.float32, seconds=0.2))
        if 0.5 < measured / by_hand < 2:
            break
    torch.set_num_threads(threads)
    assert 0.5 < measured / by_hand < 2


@pytest.mark.gpu
def test_a_gpu_is_faster_than_the_cpu():
    on_cpu = measure_peak(torch.float32, seconds=0.2)
    assert measure_peak(torch.bfloat16, seconds=0.5, device="cuda") > on_cpu


def test_the_slowest_arithmetic_still_ends():
    start = time.perf_counter()
    assert measure_peak(torch.float16, seconds=0.05) > 0
    assert time.perf_counter() - start < 10
