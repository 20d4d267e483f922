"""Small models, tokenizers and checkpoints with random weights, made in a moment.

Their text means nothing, but everything else about them is real: shapes, special tokens, files. Spread is added to
the output head, because a fresh model finds all tokens about equally likely and a test of choices wants choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.spec.manifest import Header, Progress
from stretto.spec.run.model import LlamaModel
from stretto.spec.shape import ModelShape
from stretto.text.tokenizer import Tokenizer
from stretto.text.training import train_tokenizer

if TYPE_CHECKING:
    import torch

    from stretto.models.decoder import Decoder

_TEXTS = (
    "def voice(entry, theme):\n    return theme[entry:] + theme[:entry]\n",
    "Ein Kanon: drei Stimmen, ein Thema. ",
)


def small_tokenizer(vocabulary: int = 300) -> Tokenizer:
    """A byte-level tokenizer with Stretto's special tokens."""
    return train_tokenizer(_TEXTS, vocabulary)


def small_shape(vocabulary: int, context: int = 64, **sizes: int) -> ModelShape:
    """The shape of a small Llama; `sizes` are fields of `LlamaModel`."""
    chosen = {"width": 32, "layers": 2, "heads": 4, "kv_heads": 2, "head_width": 8, "feed_forward": 48} | sizes
    return LlamaModel.model_validate(chosen).shape(vocabulary, context)


def small_model(shape: ModelShape, seed: int = 0, dtype: torch.dtype | None = None) -> Decoder:
    """A model of `shape` with weights that depend on `seed` alone; float64 by default."""
    import torch

    from stretto.models.build import build, initialize

    model = build(shape, dtype=dtype or torch.float64).requires_grad_(False)
    initialize(dict(model.named_parameters()), shape, seed)
    if model.head is not None:
        model.head.weight.mul_(40)
    return model


def small_checkpoint(run_folder: Path, model: Decoder, shape: ModelShape, tokenizer: Tokenizer) -> Path:
    """Write `model` as the checkpoint of a run's first step and return the checkpoint's folder."""
    from stretto.checkpoint.group import OneRank
    from stretto.checkpoint.shards import whole_piece
    from stretto.checkpoint.writing import write

    run_folder.mkdir(parents=True, exist_ok=True)
    header = Header(progress=Progress(step=1), shape=shape, config={}, config_digest="0" * 16)
    pieces = [whole_piece(f"model/{name}", parameter.detach()) for name, parameter in model.named_parameters()]
    return write(run_folder, header, pieces, _text_files(run_folder, tokenizer), OneRank())


def _text_files(folder: Path, tokenizer: Tokenizer) -> Mapping[str, bytes]:
    import tempfile

    with tempfile.TemporaryDirectory(dir=folder) as name:
        tokenizer.save(name)
        return {path.name: path.read_bytes() for path in sorted(Path(name).iterdir())}
