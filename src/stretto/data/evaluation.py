"""Evaluation: every document of a data set, each token that can be predicted predicted exactly once.

A document longer than the model's context is cut into pieces. With an overlap, a piece starts that many tokens earlier
and sees them as context only, so its first predictions are not made from nothing; each piece then predicts fewer new
tokens, which costs ``tokens / (tokens - overlap)`` times the work.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stretto.data.dataset import Dataset
from stretto.spec.batch import NO_LABEL, PackedBatch, join
from stretto.spec.errors import bad_value


def pieces(dataset: Dataset, tokens: int, overlap: int, microbatch_tokens: int) -> Iterator[PackedBatch]:
    """The data set as batches of at most `microbatch_tokens` positions, documents in their stored order.

    `Dataset.predicted_tokens` is the number of labels over all batches, and ``dataset.index.bytes`` the bytes of text
    that they stand for: bits per byte are the summed loss over ln 2 over these bytes.

    Args:
        dataset: what is evaluated.
        tokens: the most positions of one piece.
        overlap: positions that a later piece shares with the one before it, whose labels are `NO_LABEL`.
        microbatch_tokens: the most positions of a batch.

    Raises:
        UserError: overlap is not below tokens, or a piece does not fit into a batch.
    """
    if tokens < 1:
        raise bad_value("tokens", tokens, "at least 1")
    if not 0 <= overlap < tokens:
        raise bad_value("overlap", overlap, f"at least 0 and below tokens, {tokens}")
    if microbatch_tokens < tokens:
        raise bad_value("microbatch_tokens", microbatch_tokens, f"at least tokens, {tokens}")
    batch: list[PackedBatch] = []
    size = 0
    for piece in (p for number in range(len(dataset)) for p in _document(dataset, number, tokens, overlap)):
        if size + len(piece.tokens) > microbatch_tokens:
            yield join(batch)
            batch, size = [], 0
        batch.append(piece)
        size += len(piece.tokens)
    if batch:
        yield join(batch)


def _document(dataset: Dataset, number: int, tokens: int, overlap: int) -> Iterator[PackedBatch]:
    """The pieces of one document; its last token predicts nothing, so it is only ever a label."""
    inputs = int(dataset.lengths[number]) - 1
    done = 0
    while done < inputs:
        start = max(done - overlap, 0)
        stop = min(start + tokens, inputs)
        yield _piece(dataset, number, start, stop, done - start)
        done = stop


def _piece(dataset: Dataset, number: int, start: int, stop: int, context: int) -> PackedBatch:
    found, loss = dataset.part(number, start, stop + 1)
    labels = found[1:].astype(np.int32)
    if loss is not None:
        labels[~loss[1:]] = NO_LABEL
    labels[:context] = NO_LABEL
    size = stop - start
    return PackedBatch(
        found[:-1].astype(np.int32), np.arange(size, dtype=np.int32), labels, np.asarray([0, size], np.int32)
    )
