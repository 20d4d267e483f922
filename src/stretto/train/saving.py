"""Between a run and its checkpoints: which tensors, whose they are, and how they come back.

Replicates hold the same tensors, so they share the writing: each rank owns the tensors whose turn it is. Random
numbers need no state of their own: they are keyed by seed, step and rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stretto.checkpoint.reading import StoredCheckpoint
from stretto.checkpoint.shards import whole_piece
from stretto.checkpoint.writing import write
from stretto.parallel.world import World
from stretto.spec.errors import UserError
from stretto.spec.manifest import Header, Progress
from stretto.spec.run.config import RunConfig
from stretto.spec.shape import ModelShape
from stretto.spec.value import digest
from stretto.text.names import CONFIG_FILE
from stretto.text.tokenizer import TOKENIZER_FILE, Tokenizer
from stretto.train.stages import named_weights
from stretto.train.step import Step


def save(
    config: RunConfig,
    shape: ModelShape,
    progress: Progress,
    step: Step,
    world: World,
    tokenizer_files: Mapping[str, bytes],
) -> Path:
    """Write a checkpoint of `step`'s parameters and optimizer state; every rank calls this.

    Raises:
        StrettoError: it could not be written; earlier checkpoints are untouched.
    """
    pieces = [whole_piece(name, tensor) for name, tensor in _tensors(step).items()]
    header = Header(progress=progress, shape=shape, config=config.model_dump(mode="json"), config_digest=digest(config))
    mine = pieces[world.rank :: world.ranks]
    return write(config.folder, header, mine, tokenizer_files, world, keep=config.checkpoint.keep)


def check_goes_on(stored: StoredCheckpoint, config: RunConfig, tokenizer: str, own: bool) -> None:
    """Refuse to go on from a checkpoint with other token ids or, in its own run (`own`), with other rows.

    The place in the data is the step times the rows of a step, so a run that goes on with other data or other rows a
    step would leave some out and repeat others.

    Raises:
        UserError: naming the first difference.
    """
    theirs = Tokenizer.load(stored.path).digest
    if theirs != tokenizer:
        raise UserError(
            f"{stored.path} was trained with tokenizer {theirs} and the data has {tokenizer}; expected the same one."
        )
    before, now = _rows_of(stored.manifest.config), _rows_of(config.model_dump(mode="json"))
    changed = next((field for field in now if own and now[field] != before.get(field)), None)
    if changed is not None:
        raise UserError(
            f"{changed} is {now[changed]!r} and was {before.get(changed)!r} when {stored.path} was written; resume "
            f"with the same, or start a new run with --folder and --resume {stored.path}."
        )


def _rows_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that decide which rows a step takes, by their dotted names."""
    data = {f"data.{name}": value for name, value in config["data"].items()}
    return data | {"train.rows": config["train"]["rows"]}


def restore(checkpoint: StoredCheckpoint, step: Step, device: torch.device) -> None:
    """Take parameters and optimizer state from a checkpoint, whichever layout wrote it."""
    for name, weight in named_weights(step.stages).items():
        weight.copy_(checkpoint.read(f"model/{name}", device=device))
    names = checkpoint.names("optimizer/")
    state = {name.removeprefix("optimizer/"): checkpoint.read(name, device=device) for name in names}
    _check_state(checkpoint.path, step, state, trained=checkpoint.manifest.progress.step > 0)
    for optimizer in step.optimizers:
        optimizer.load(state)


def _check_state(path: Path, step: Step, state: Mapping[str, Tensor], trained: bool) -> None:
    """Refuse optimizer state of another optimizer or of other sizes."""
    weights = named_weights(step.stages)
    for name, tensor in state.items():
        weight = weights.get(name.rpartition("/")[0])
        if weight is None or tensor.shape not in (weight.shape, ()):
            raise UserError(
                f"{path}: tensor optimizer/{name} has the shape {list(tensor.shape)} and fits no parameter."
            )
    for optimizer in step.optimizers:
        wrong = optimizer.foreign(state) if trained else None
        if wrong is not None:
            raise UserError(
                f"{path} holds the state of another optimizer (it differs at {wrong}); resume with the optimizer.kind "
                "it was written with, or start a new run."
            )


def _tensors(step: Step) -> dict[str, Tensor]:
    weights = {f"model/{name}": weight for name, weight in named_weights(step.stages).items()}
    state = {f"optimizer/{name}": t for optimizer in step.optimizers for name, t in optimizer.state().items()}
    return weights | state


def tokenizer_files(config: RunConfig) -> dict[str, bytes]:
    """What makes a checkpoint self-contained: the tokenizer of the training data, read once at the start."""
    folder = config.data.sources[0].path
    try:
        return {name: (folder / name).read_bytes() for name in (TOKENIZER_FILE, CONFIG_FILE)}
    except OSError as error:
        raise UserError(
            f"{error.filename} cannot be read ({(error.strerror or '').lower()}); expected the data set's tokenizer "
            "there; build the data set again."
        ) from None
