"""One training step of Stretto beside the same step in plain transformers: tokens/s, and their ratio.

Same shape, weights' precision, rows and optimizer (AdamW, fused) on one process with all threads; the peer runs
[rows, tokens] batches of whole rows, which is its best case. Pairs are interleaved and medians are compared, since the
machine is shared. Writes benchmarks/results/training.json.

    python benchmarks/training.py [--pairs 7] [--precision float32]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from stretto.count.flops import training_flops
from stretto.models.llama import hugging_face_names
from stretto.models.precisions import PRECISIONS
from stretto.parallel.world import World
from stretto.schedule.generators.sequential import sequential
from stretto.spec.batch import PackedBatch
from stretto.spec.run.model import LlamaModel
from stretto.spec.run.optimizer import AdamW
from stretto.spec.shape import ModelShape
from stretto.train.optimizer import StageOptimizer
from stretto.train.recorder import Recorder
from stretto.train.stages import build_stages, named_weights
from stretto.train.step import Step
from stretto.train.task import Task

SIZES = {
    "5M": LlamaModel(width=256, layers=4, heads=4, kv_heads=2, head_width=64, feed_forward=704),
    "26M": LlamaModel(width=512, layers=6, heads=8, kv_heads=4, head_width=64, feed_forward=1408),
}
Take: TypeAlias = Callable[[NDArray[np.int32]], float]
VOCABULARY, ROWS, TOKENS = 8192, 4, 512


def ours(shape: ModelShape, precision: str) -> tuple[Take, dict[str, Tensor]]:
    """A function that takes one step on token ids [rows, tokens]."""
    stages = build_stages(shape, 1, precision, torch.device("cpu"), seed=0)
    optimizers = [StageOptimizer(AdamW(lr=1e-4), stage) for stage in stages]
    step = Step(stages, optimizers, World(0, 1, 0, 1, torch.device("cpu")), Task(), Recorder(0), clip_norm=1.0)
    program = sequential(1, 1, 1)

    def take(ids: NDArray[np.int32]) -> float:
        return step.run(program, [packed(ids)], 1.0).loss

    return take, named_weights(stages)


def packed(ids: NDArray[np.int32]) -> PackedBatch:
    """Rows [rows, tokens] as documents of one flat batch."""
    rows, tokens = ids.shape
    labels = np.full_like(ids, -1)
    labels[:, :-1] = ids[:, 1:]
    positions = np.tile(np.arange(tokens, dtype=np.int32), rows)
    return PackedBatch(ids.ravel(), positions, labels.ravel(), np.arange(rows + 1, dtype=np.int32) * tokens)


def peer(shape: ModelShape, weights: dict[str, Tensor], precision: str) -> Take:
    """The same in transformers, from the same weights."""
    mixer = shape.layers[0].mixer
    config = transformers.LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.layers[0].feed_forward.width,
        num_hidden_layers=len(shape.layers),
        num_attention_heads=mixer.heads,
        num_key_value_heads=mixer.kv_heads,
        head_dim=mixer.head_width,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.norm.eps,
        tie_word_embeddings=False,
        use_cache=False,
    )
    model = transformers.LlamaForCausalLM(config)
    names = hugging_face_names(shape)
    model.load_state_dict({names[name]: weight.clone() for name, weight in weights.items()})
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

    def take(ids: NDArray[np.int32]) -> float:
        tokens = torch.from_numpy(ids).long()
        with torch.autocast("cpu", PRECISIONS[precision], enabled=precision == "bfloat16"):
            loss = model(tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return take


def compare(name: str, precision: str, pairs: int) -> dict[str, Any]:
    """Median seconds of both on one size."""
    shape = SIZES[name].shape(VOCABULARY, TOKENS)
    mine, weights = ours(shape, precision)
    theirs = peer(shape, weights, precision)
    random = np.random.default_rng(0)
    times = {"stretto": [], "transformers": []}
    losses = []
    for pair in range(pairs + 1):
        ids = random.integers(VOCABULARY, size=(ROWS, TOKENS)).astype(np.int32)
        for label, take in (("stretto", mine), ("transformers", theirs)):
            start = time.perf_counter()
            losses.append(take(ids))
            if pair:
                times[label].append(time.perf_counter() - start)
    medians = {label: statistics.median(values) for label, values in times.items()}
    flops = training_flops(shape, [TOKENS] * ROWS).model
    return {
        "size": name,
        "precision": precision,
        "tokens_per_s": {label: ROWS * TOKENS / seconds for label, seconds in medians.items()},
        "gflop_per_s": {label: flops / seconds / 1e9 for label, seconds in medians.items()},
        "ratio": medians["transformers"] / medians["stretto"],
        "first_losses": losses[:2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    arguments = parser.parse_args()
    rows = [compare(name, precision, arguments.pairs) for name in SIZES for precision in arguments.precision]
    for row in rows:
        speeds = ", ".join(f"{label} {speed:,.0f} tokens/s" for label, speed in row["tokens_per_s"].items())
        print(f"{row['size']} {row['precision']}: {speeds}, ratio {row['ratio']:.2f}")
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    result = {"machine": machine, "versions": versions, "seed": 0, "pairs": arguments.pairs, "rows": rows}
    out = Path(__file__).parent / "results" / "training.json"
    out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
