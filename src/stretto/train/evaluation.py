"""A checkpoint's loss on a data set: every token predicted once, in nats a token and bits a byte of text.

Bits per byte do not depend on the tokenizer, so they can be held against any other compressor of the same bytes
(Gao et al. 2020, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from stretto.checkpoint.loading import choose_device, choose_dtype, load_model, load_tokenizer
from stretto.checkpoint.reading import open_checkpoint
from stretto.data.dataset import Dataset
from stretto.data.evaluation import pieces
from stretto.models.context import LocalContext
from stretto.ops.cross_entropy import token_losses
from stretto.spec.errors import UserError, bad_value
from stretto.train.step import on_device

BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a checkpoint makes of a data set.

    Attributes:
        loss: nats a predicted token.
        bits_per_byte: the summed loss in bits, over the bytes of the text that the tokens stand for.
        tokens: tokens that were predicted.
        text_bytes: bytes of text that they stand for.
        documents: how many documents.
    """

    loss: float
    bits_per_byte: float
    tokens: int
    text_bytes: int
    documents: int


def evaluate(
    checkpoint: Path | str,
    dataset: Path | str,
    *,
    tokens: int | None = None,
    overlap: int | None = None,
    precision: str = "float32",
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Measure a checkpoint on a data set.

    Args:
        checkpoint: its folder, or a run folder for its latest one.
        dataset: a folder written by `data.build`, tokenised with the checkpoint's tokenizer.
        tokens: the most positions of a piece; by default the model's context, which is also the most.
        overlap: positions that a later piece of a document sees of the one before, unscored; by default half of
            `tokens`, at twice the work.
        precision: ``float32``, ``bfloat16`` or ``float64``.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: called with the number of tokens predicted since its last call.

    Raises:
        UserError: the checkpoint or the data set cannot be read, they have different tokenizers, the data set
            holds no text to predict, or a size is wrong.
    """
    stored = open_checkpoint(Path(checkpoint))
    shape, data = stored.manifest.shape, Dataset.open(dataset)
    mine = load_tokenizer(stored.path, shape.vocabulary)
    if data.index.tokenizer != mine.digest:
        raise UserError(
            f"{dataset} was tokenised with tokenizer {data.index.tokenizer}; "
            f"expected the checkpoint's, {mine.digest} (in {stored.path})."
        )
    length = shape.context if tokens is None else tokens
    if length < 1:
        raise bad_value("tokens", length, "at least 1")
    if length > shape.context:
        raise bad_value("tokens", length, f"at most the model's context, {shape.context}")
    size = int(data.text_bytes.sum())
    if not data.predicted_tokens or not size:
        raise UserError(
            f"{dataset} holds no text to predict: {data.predicted_tokens} of its tokens carry loss and follow another, "
            f"and they stand for {size} bytes; expected documents, or chats whose chosen turns say something."
        )
    back = length // 2 if overlap is None else overlap
    where = choose_device(device)
    model = load_model(stored, where, choose_dtype(precision, where))
    total = 0.0
    with torch.inference_mode():
        for packed in pieces(data, length, back, max(BATCH_TOKENS, length)):
            batch = on_device(packed, where)
            hidden = model(batch.tokens, batch.positions, LocalContext(batch.offsets))
            total += float(token_losses(hidden, model.head_weight, batch.labels).sum(dtype=torch.float64))
            if progress is not None:
                progress(packed.labelled_tokens)
    return Evaluation(total / data.predicted_tokens, total / math.log(2) / size, data.predicted_tokens, size, len(data))
