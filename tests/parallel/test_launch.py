"""Local ranks: results in order, and one sentence for whatever goes wrong in one of them."""

import os
import signal

import pytest
import torch

import stretto
from stretto.parallel.launch import launch
from stretto.parallel.world import join_world, pick_device
from stretto.spec.errors import StrettoError, UserError


def _sum_of_ranks():
    with join_world("cpu") as world:
        return world.rank, world.exchange([world.rank + 1.0]).sum().item()


def _fails_on_rank_one(how):
    with join_world("cpu", timeout_s=20) as world:
        if world.rank == 1:
            if how == "user":
                raise UserError("data.tokens is 0; expected at least 2.")
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ZeroDivisionError("in the middle")
        world.exchange([1.0])


def test_results_come_in_rank_order():
    assert launch(_sum_of_ranks, 2) == [(0, 3.0), (1, 3.0)]
    assert stretto.launch is launch


@pytest.mark.parametrize(
    ("how", "kind", "sentence"),
    [
        ("user", UserError, "data.tokens is 0; expected at least 2."),
        ("killed", StrettoError, "rank 1 was killed by SIGKILL"),
        ("crash", StrettoError, "(?s)rank 1 failed.*ZeroDivisionError: in the middle"),
    ],
)
def test_a_failing_rank_is_one_error(how, kind, sentence):
    with pytest.raises(kind, match=sentence):
        launch(_fails_on_rank_one, 2, how)


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(UserError, match="top of a module"):
        launch(lambda: None, 2)


def test_a_gpu_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert pick_device("auto").type == "cpu"
    with pytest.raises(UserError, match="device is 'cuda'"):
        pick_device("cuda")


def _talk(world):
    return (
        world.exchange([world.rank, 2.0]).tolist(),
        world.gather(f"from {world.rank}"),
        world.broadcast(f"by {world.rank}"),
    )


def test_collectives(ranks):
    first, second = ranks.run(2, _talk)
    assert first[0] == second[0] == [[0.0, 2.0], [1.0, 2.0]]
    assert (first[1], second[1]) == (["from 0", "from 1"], None)
    assert (first[2], second[2]) == ("by 0", "by 0")
