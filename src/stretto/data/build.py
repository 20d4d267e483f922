"""Build: documents to two data sets of tokens, one to train on and one held out.

Documents stream through: read, split by content hash, tokenised in batches on all cores, written. Where no tokenizer
is given, one is trained on the training part first, which reads the sources twice. Every document is stored as begin
token, tokens, end token; a chat as its template renders it, with the loss on chosen turns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from stretto.data.reading import Document, Report, Skipped, documents
from stretto.data.shards import Index
from stretto.data.writing import DatasetWriter, appearing
from stretto.spec.errors import UserError, bad_value
from stretto.text.chat import check_roles, encode_chat
from stretto.text.tokenizer import Tokenizer
from stretto.text.training import train_tokenizer

SHARD_TOKENS = 2**27
"""Tokens of a shard: 256 MiB of two-byte ids."""
TRAINING_CHARACTERS = 2**29
"""The most text that a tokenizer is trained on."""
SKIPPED_FILE = "skipped.jsonl"
_BATCH_DOCUMENTS = 1024
_BATCH_CHARACTERS = 2**20


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` wrote.

    Attributes:
        train: of ``folder/train``.
        validation: of ``folder/validation``; None where nothing was to be held out.
        skipped: what was left out, counted by reason; every one is in ``folder/skipped.jsonl``.
    """

    train: Index
    validation: Index | None
    skipped: dict[str, int]


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far `build` is: what it is doing, and the documents and characters it has done."""

    phase: str
    documents: int
    characters: int


@dataclass(frozen=True, slots=True)
class _Encoded:
    tokens: list[int]
    loss: list[bool] | None
    text_bytes: int


def build(
    sources: Sequence[Path | str],
    folder: Path | str,
    *,
    vocabulary: int | None = None,
    tokenizer: Tokenizer | None = None,
    validation: float = 0.05,
    suffixes: Sequence[str] = (),
    loss_roles: Collection[str] = ("assistant",),
    progress: Callable[[BuildProgress], None] | None = None,
) -> Built:
    """Write ``folder/train`` and ``folder/validation``, each a data set with its tokenizer inside.

    Args:
        sources: folders, files or patterns, as `reading.documents` takes them.
        folder: a new folder; it appears when everything is on disk.
        vocabulary: the size of a tokenizer to train on the training part; or else
        tokenizer: the tokenizer to use.
        validation: the share of documents to hold out, from 0 (none) to below 1; chosen by content.
        suffixes: endings of the file names to take; none to take all.
        loss_roles: whose turns of a chat carry loss.
        progress: is called after every batch.

    Raises:
        UserError: the folder exists, a source does not, a value is wrong, or there is too little text.
        StrettoError: the disk is full or fails.
    """
    if (vocabulary is None) == (tokenizer is None):
        raise UserError("expected either a vocabulary (to train a tokenizer) or a tokenizer, and not both.")
    if not 0 <= validation < 1:
        raise bad_value("validation", validation, "a share of at least 0 and below 1")
    check_roles("loss_roles", loss_roles)
    folder = Path(folder)
    tell = progress or (lambda _: None)
    with appearing(folder) as hidden:
        if tokenizer is None:
            tokenizer = train_tokenizer(_training_texts(sources, suffixes, validation, tell), vocabulary or 0)
        return _write(hidden, sources, suffixes, _Encoding(tokenizer, loss_roles), validation, tell)


@dataclass(frozen=True, slots=True)
class _Encoding:
    tokenizer: Tokenizer
    loss_roles: Collection[str]

    def batch(self, found: list[Document], report: Report) -> Iterator[tuple[Document, _Encoded]]:
        """The documents of a batch as they are stored; a chat that its template refuses is reported instead."""
        begin, end = [self.tokenizer.begin], [self.tokenizer.end]
        texts = [d.content for d in found if isinstance(d.content, str)]
        encoded = iter(self.tokenizer.encode_batch(texts))
        for document in found:
            if isinstance(document.content, str):
                tokens = begin + next(encoded) + end
                yield document, _Encoded(tokens, None, len(document.content.encode()))
            else:
                yield from ((document, chat) for chat in self._chat(document.name, document.content, report))

    def _chat(self, name: str, messages: list[Mapping[str, Any]], report: Report) -> Iterator[_Encoded]:
        try:
            tokens, loss = encode_chat(self.tokenizer, messages, self.loss_roles)
        except UserError as error:
            report(Skipped(name, None, f"chat: {error}"))
            return
        if any(loss):
            chosen = [_words(m).strip() for m in messages if m["role"] in self.loss_roles]
            yield _Encoded(tokens, loss, sum(len(text.encode()) for text in chosen))
        else:
            report(Skipped(name, None, "chat: no turn of a role that carries loss"))


def _write(
    hidden: Path,
    sources: Sequence[Path | str],
    suffixes: Sequence[str],
    encoding: _Encoding,
    validation: float,
    tell: Callable[[BuildProgress], None],
) -> Built:
    counts: Counter[str] = Counter()
    with ExitStack() as open_files:
        log = open_files.enter_context((hidden / SKIPPED_FILE).open("w", encoding="utf-8"))
        train = DatasetWriter(hidden / "train", encoding.tokenizer, SHARD_TOKENS)
        held_out = DatasetWriter(hidden / "validation", encoding.tokenizer, SHARD_TOKENS) if validation else None
        open_files.callback(train.close)
        if held_out is not None:
            open_files.callback(held_out.close)

        def report(skipped: Skipped) -> None:
            counts[skipped.kind] += 1
            log.write(json.dumps(asdict(skipped)) + "\n")

        done = characters = 0
        for batch in _batches(documents(sources, report, suffixes)):
            for document, found in encoding.batch(batch, report):
                writer = held_out if held_out is not None and document.held_out(validation) else train
                writer.add(document.name, found.tokens, found.loss, found.text_bytes)
            done += len(batch)
            characters += sum(map(_size, batch))
            tell(BuildProgress("tokenise", done, characters))
        return _built(train, held_out, dict(counts), validation, done)


def _built(
    train: DatasetWriter, held_out: DatasetWriter | None, skipped: dict[str, int], validation: float, done: int
) -> Built:
    train_index = train.finish(skipped)
    if train_index is None:
        raise _nothing(skipped)
    validation_index = held_out.finish(skipped) if held_out is not None else None
    if held_out is not None and validation_index is None:
        raise UserError(
            f"none of the {done} documents falls into the validation share of {validation}; expected more documents, "
            f"a larger share, or 0 to hold nothing out."
        )
    return Built(train_index, validation_index, skipped)


def _nothing(skipped: Mapping[str, int]) -> UserError:
    left_out = ", ".join(f"{n} left out as {why}" for why, n in sorted(skipped.items())) or "no file was found"
    return UserError(f"the sources hold no document to train on ({left_out}); expected at least one with text.")


def _training_texts(
    sources: Sequence[Path | str],
    suffixes: Sequence[str],
    validation: float,
    tell: Callable[[BuildProgress], None],
) -> Iterator[str]:
    skipped: Counter[str] = Counter()
    found = documents(sources, lambda s: skipped.update([s.kind]), suffixes)
    number = characters = 0
    for number, document in enumerate((d for d in found if not d.held_out(validation)), 1):
        if characters >= TRAINING_CHARACTERS:
            return
        characters += _size(document)
        yield _text(document)
        if number % _BATCH_DOCUMENTS == 0:
            tell(BuildProgress("train tokenizer", number, characters))
    if not number:
        raise _nothing(skipped)


def _batches(found: Iterator[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in found:
        batch.append(document)
        characters += _size(document)
        if len(batch) >= _BATCH_DOCUMENTS or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _text(document: Document) -> str:
    if isinstance(document.content, str):
        return document.content
    return "\n".join(map(_words, document.content))


def _words(message: Mapping[str, Any]) -> str:
    """The text of a message, whose content may be a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(p.get("text", "")) for p in cast("list[Any]", content) if isinstance(p, Mapping))
    return content if isinstance(content, str) else ""


def _size(document: Document) -> int:
    return len(_text(document))
