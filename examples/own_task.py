"""A task of one's own: learn to copy, measured by how often the copy is right.

python examples/own_task.py DATA FOLDER     (DATA/train is a data set by `stretto data build`)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

import stretto
from stretto.spec.batch import PackedBatch
from stretto.spec.run.data import Data, Source
from stretto.spec.run.model import LlamaModel
from stretto.spec.run.optimizer import AdamWBesideMuon, Muon
from stretto.spec.run.train import Train, Validation
from stretto.train.task import DeviceBatch, next_token_measures


def copy_task(batch: PackedBatch, row: int) -> PackedBatch:
    """Every position predicts its own token."""
    return PackedBatch(batch.tokens, batch.positions, batch.tokens.copy(), batch.offsets)


def accuracy(hidden: Tensor, head: Tensor, batch: DeviceBatch) -> Mapping[str, float]:
    """The loss, and how many positions are right."""
    right = (hidden @ head.T).argmax(1) == batch.labels
    return {**next_token_measures(hidden, head, batch), "accuracy": float(right.sum())}


def main(data: Path, folder: Path) -> None:
    """Train for some seconds and say how well it copies."""
    config = stretto.RunConfig(
        folder=folder,
        model=LlamaModel(width=64, layers=2, heads=2, kv_heads=2, head_width=32, feed_forward=128),
        data=Data(sources=(Source(path=data / "train"),), tokens=128),
        optimizer=Muon(lr=0.05, adamw=AdamWBesideMuon(lr=0.03)),
        train=Train(steps=150, rows=4, microbatch_rows=4),
        validation=Validation(path=data / "train", every=50, rows=4),
    )
    outcome = stretto.train(config, task=stretto.Task(prepare=copy_task, measure=accuracy))
    print({name: round(value, 3) for name, value in outcome.measures.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
