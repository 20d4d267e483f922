"""`train`: a run configuration becomes a trained model, on as many ranks as its layout asks for.

Called in an ordinary process it starts the local ranks itself; called in a process that torchrun (or an equal
launcher) started, it takes its place among those.
"""

from __future__ import annotations

import torch

from stretto.layout.supported import supported
from stretto.parallel.cores import usable_cores
from stretto.parallel.launch import launch
from stretto.parallel.world import pick_device
from stretto.spec.environment import launched_ranks
from stretto.spec.errors import UserError, bad_value
from stretto.spec.run.config import RunConfig
from stretto.train.events import Watch, ignore
from stretto.train.loop import Outcome
from stretto.train.opening import run_rank
from stretto.train.task import Task

__all__ = ["Outcome", "train"]


def train(
    config: RunConfig,
    *,
    task: Task | None = None,
    resume: str | None = None,
    profile: bool = False,
    watch: Watch = ignore,
) -> Outcome:
    """Train as `config` says.

    Args:
        config: the run.
        task: what is trained for, where it is not next-token prediction. Its functions and `watch` must be importable
            by name when the layout has more than one rank.
        resume: ``latest`` or a checkpoint's path, to go on from it; None to start a new run.
        profile: record the spans of a few steps into trace.json.
        watch: called on rank 0 with every `train.events` value as it happens.

    Returns:
        What the run reached.

    Raises:
        UserError: the configuration, the data or the checkpoint cannot be used.
        StrettoError: the run failed; the last good checkpoint is named.
        Interrupted: a signal stopped it; a checkpoint was written and is named.
    """
    reason = supported(config.layout)
    if reason is not None:
        raise UserError(reason.sentence)
    place, ranks = launched_ranks(), config.layout.ranks
    if place is not None and place.ranks != ranks:
        raise bad_value("layout.data", config.layout.data, f"{place.ranks}, the number of ranks that were launched")
    arguments = config, task or Task(), resume, profile, watch
    if place is None and ranks > 1:
        _check_local_ranks(config)
        return launch(run_rank, ranks, *arguments)[0]
    return run_rank(*arguments)


def _check_local_ranks(config: RunConfig) -> None:
    """Refuse more ranks than this machine can sensibly run: GPUs on a GPU machine, a few a core on a CPU."""
    ranks, device = config.layout.ranks, pick_device(config.train.device)
    most = torch.cuda.device_count() if device.type == "cuda" else max(8, 4 * usable_cores())
    if ranks > most:
        raise bad_value("layout.data", ranks, f"at most {most} ranks on this machine", "torchrun takes more machines")
