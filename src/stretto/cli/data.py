"""`stretto data build|inspect`: turn documents into training data, and look into it. Torch-free."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stretto.cli.show import emit, progress, table
from stretto.spec.errors import UserError, bad_value
from stretto.spec.run.data import Data

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.data.build import BuildProgress
    from stretto.data.dataset import Dataset
    from stretto.data.inspection import Inspection

_VOCABULARY = 4096
_TOKENS: Final[int] = Data.model_fields["tokens"].default
_BAR = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    actions = parser.add_subparsers(dest="action", required=True)
    _add_build(actions.add_parser("build", help="write token data sets from folders, JSON lines and Parquet"))
    _add_inspect(actions.add_parser("inspect", help="say what a data set holds and how it packs"))


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    return _build(arguments) if arguments.action == "build" else _inspect(arguments)


def _add_build(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help="a folder, a file or a pattern; .jsonl and .parquet hold a document a line or row (text or messages), "
        "any other file is one document",
    )
    build.add_argument("--output", metavar="FOLDER", type=Path, required=True, help="a new folder")
    either = build.add_mutually_exclusive_group()
    either.add_argument(
        "--vocabulary", metavar="N", type=int, help=f"tokens of a tokenizer to train (default {_VOCABULARY})"
    )
    either.add_argument(
        "--tokenizer", metavar="PATH", type=Path, help="a tokenizer.json, or a folder with one, to use instead"
    )
    build.add_argument(
        "--validation", metavar="SHARE", type=float, default=0.05, help="documents to hold out (default 0.05; 0: none)"
    )
    build.add_argument(
        "--suffix", metavar=".EXT", nargs="+", action="extend", default=[], help="take only files that end so"
    )
    build.add_argument(
        "--loss-roles",
        metavar="ROLE",
        nargs="+",
        default=["assistant"],
        help="chat turns that carry loss (default assistant)",
    )


def _add_inspect(inspect: argparse.ArgumentParser) -> None:
    inspect.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="a data set, a folder that `stretto data build` wrote, or a run file for its mixture",
    )
    inspect.add_argument("--tokens", metavar="N", type=int, help=f"positions of a row (default {_TOKENS})")


def _build(arguments: argparse.Namespace) -> int:
    from stretto.data.build import SKIPPED_FILE, build
    from stretto.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(arguments.tokenizer) if arguments.tokenizer else None
    with progress("documents") as advance:
        built = build(
            arguments.sources,
            arguments.output,
            tokenizer=tokenizer,
            vocabulary=None if tokenizer else _or(arguments.vocabulary, _VOCABULARY),
            validation=arguments.validation,
            suffixes=arguments.suffix,
            loss_roles=arguments.loss_roles,
            progress=_Shown(advance),
        )
    parts = {"train": built.train, "validation": built.validation}
    kept = {name: index for name, index in parts.items() if index is not None}

    def render(out: Console) -> None:
        rows = [(name, f"{i.documents:,}", f"{i.tokens:,}", f"{i.bytes:,}") for name, i in kept.items()]
        names = ("data set", "documents", "tokens", "bytes")
        table(out, names, rows, numbers=names[1:])
        if built.skipped:
            out.print(f"Left out: {_counted(built.skipped)} (see {arguments.output / SKIPPED_FILE}).", markup=False)
        out.print(f"Wrote {' and '.join(str(arguments.output / name) for name in kept)}.", markup=False)

    emit(arguments, {"output": arguments.output, "skipped": built.skipped, **kept}, render)
    return 0


class _Shown:
    """Turns how far a build is into calls of a progress display."""

    def __init__(self, advance: Any) -> None:
        self._advance, self._phase, self._done = advance, "", 0

    def __call__(self, now: BuildProgress) -> None:
        if now.phase != self._phase:
            self._phase, self._done = now.phase, 0
        self._advance(now.documents - self._done, f"{now.phase}, {now.characters:,} characters")
        self._done = now.documents


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {why}" for why, number in sorted(counts.items()))


def _inspect(arguments: argparse.Namespace) -> int:
    from stretto.data.inspection import inspect

    if arguments.tokens is not None and arguments.tokens < 1:
        raise bad_value("--tokens", arguments.tokens, "at least 1")
    if any(path.suffix == ".toml" for path in arguments.paths):
        return _inspect_run(arguments)
    tokens = _or(arguments.tokens, _TOKENS)
    found = {str(d.folder): inspect(d, tokens) for path in arguments.paths for d in _datasets(path)}
    emit(arguments, {name: asdict(i) for name, i in found.items()}, lambda out: _render(out, found))
    return 0


def _inspect_run(arguments: argparse.Namespace) -> int:
    from stretto.data.inspection import inspect
    from stretto.data.rows import Rows
    from stretto.spec.run.config import read_run

    if len(arguments.paths) > 1:
        raise UserError("a run file is inspected by itself; expected one path.")
    given = {"data.tokens": str(arguments.tokens)} if arguments.tokens is not None else {}
    data: Data = read_run(arguments.paths[0], given).data
    rows = Rows(data)
    found = {
        f"sources.{i} {source.dataset.folder}": inspect(source.dataset, data.tokens, data.window_rows, data.seed)
        for i, source in enumerate(rows.sources)
    }
    mixture = [
        {
            "path": source.dataset.folder,
            "share": share,
            "rows_per_epoch": source.rows_per_epoch,
            "rows_until_it_repeats": int(source.rows_per_epoch / share),
        }
        for source, share in zip(rows.sources, rows.shares, strict=True)
    ]

    def render(out: Console) -> None:
        columns = ("source", "share of rows", "rows an epoch", "repeats after row")
        cells = [
            (m["path"], f"{m['share']:.1%}", f"{m['rows_per_epoch']:,}", f"{m['rows_until_it_repeats']:,}")
            for m in mixture
        ]
        table(out, columns, cells, title="mixture", numbers=columns[1:])
        _render(out, found)

    emit(arguments, {"mixture": mixture, "sources": {name: asdict(i) for name, i in found.items()}}, render)
    return 0


def _datasets(path: Path) -> list[Dataset]:
    from stretto.data.dataset import Dataset
    from stretto.data.shards import INDEX_FILE

    inside = [path / name for name in ("train", "validation") if (path / name / INDEX_FILE).is_file()]
    whole = (path / INDEX_FILE).is_file() or not inside
    return [Dataset.open(folder) for folder in ([path] if whole else inside)]


def _render(out: Console, found: Mapping[str, Inspection]) -> None:
    for name, inspection in found.items():
        table(out, ("", ""), _facts(inspection), title=name)
        columns = ("tokens of a document", "documents", "tokens", "share of tokens")
        table(out, columns, _bins(inspection), numbers=columns[:3])


def _facts(found: Inspection) -> Sequence[tuple[str, str]]:
    packed = found.packing
    facts = [
        ("documents", f"{found.documents:,}"),
        ("tokens", f"{found.tokens:,} ({found.predicted_tokens:,} predicted)"),
        ("bytes", f"{found.bytes:,} ({found.bytes_per_token:.3f} a predicted token)"),
        ("vocabulary", f"{found.vocabulary:,}"),
        ("lengths", ", ".join(f"p{p} {mark:,}" for p, mark in found.length_percentiles.items())),
        ("packing", f"{packed.efficiency:.4%} of {packed.rows:,} rows of {packed.tokens:,} tokens"),
        (
            "cuts",
            f"{packed.needed_cuts:,} of documents longer than a row, {packed.further_cuts:,} more to fill rows "
            f"({packed.pieces:,} pieces)",
        ),
    ]
    return [*facts, ("left out", _counted(found.skipped))] if found.skipped else facts


def _bins(found: Inspection) -> list[tuple[str, str, str, str]]:
    most = max(b.tokens for b in found.histogram)
    return [
        (f"{b.low:,} to {b.high:,}", f"{b.documents:,}", f"{b.tokens:,}", "#" * round(_BAR * b.tokens / most))
        for b in found.histogram
    ]
