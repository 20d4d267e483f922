"""`stretto models`: the families there are, and what one model takes: parameters, FLOPs a token, bytes.

The model comes from a run file, from a checkpoint, or from sizes given as flags. Everything is counted from the
shape, nothing is built, and torch is not loaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.cli.arguments import add_flags, flags, kinds_first
from stretto.cli.show import emit, table
from stretto.count.bytes import kept_dtype, kv_bytes_per_token, training_bytes
from stretto.count.flops import CONVENTION, decode_flops, training_flops
from stretto.count.parameters import count_parameters
from stretto.models.registry import FAMILIES
from stretto.spec.errors import UserError
from stretto.spec.run.config import RunConfig, lay_over, read_run
from stretto.spec.run.optimizer import AdamW, Muon
from stretto.spec.shape import ModelShape
from stretto.spec.value import load

if TYPE_CHECKING:
    from rich.console import Console

_TABLES = ("model.", "optimizer.", "train.precision", "data.tokens")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and how it is trained; `source` says where it was found."""

    source: str
    shape: ModelShape
    precision: str
    optimizer: AdamW | Muon


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model from a file, or its sizes."""
    parser.usage = f"{parser.prog} [RUN.toml | CHECKPOINT] [--vocabulary N] [--table.field value ...]"
    parser.add_argument("path", nargs="?", type=Path, help="a run file, a run folder or a checkpoint folder")
    parser.add_argument(
        "--vocabulary", type=int, metavar="N", help="token ids; by default what the run's data set was built with"
    )
    add_flags(parser, (flag for flag in flags(RunConfig) if flag.name.startswith(_TABLES)))


def run(arguments: argparse.Namespace) -> int:
    """List the families, or count one model."""
    overrides: dict[str, str] = kinds_first(arguments.overrides)
    if arguments.path is None and not overrides and arguments.vocabulary is None:
        families = {name: family.summary for name, family in FAMILIES.items()}
        emit(
            arguments, {"families": families}, lambda out: table(out, ("family", "what it is"), list(families.items()))
        )
        return 0
    found = subject(arguments.path, overrides, arguments.vocabulary)
    data = counts(found)
    emit(arguments, data, lambda out: _show_counts(out, data))
    return 0


def subject(path: Path | None, overrides: Mapping[str, str], vocabulary: int | None) -> Subject:
    """The model that a command line speaks of.

    Raises:
        UserError: the file is neither a run file nor a checkpoint, a size is wrong, or the vocabulary is not known.
    """
    if path is None:
        return _from_sizes(overrides, vocabulary)
    if path.is_file() and path.suffix == ".toml":
        return _from_run(str(path), read_run(path, overrides), vocabulary)
    return _from_checkpoint(path, overrides, vocabulary)


def counts(found: Subject) -> dict[str, Any]:
    """All counts of one model, for machines."""
    shape = found.shape
    one_document = training_flops(shape, [shape.context])
    state = training_bytes(shape, found.precision, found.optimizer)
    kept = kept_dtype(found.precision)
    cache = kv_bytes_per_token(shape, found.precision)
    return {
        "source": found.source,
        "family": shape.family,
        "context_tokens": shape.context,
        "vocabulary": shape.vocabulary,
        "parameters": count_parameters(shape),
        "flops_per_token": {
            "convention": CONVENTION,
            "forward": one_document.forward / shape.context,
            "training": one_document.model / shape.context,
            "decode_at_full_context": decode_flops(shape, shape.context),
        },
        "precision": found.precision,
        "kept_in": kept,
        "optimizer": found.optimizer.kind,
        "bytes": {
            "weights": state.weights_bytes,
            "weights_for_passes": state.pass_weights_bytes,
            "gradients": state.gradients_bytes,
            "optimizer_state": state.optimizer_bytes,
            "training_state": state.total_bytes,
            "kv_cache_per_token": cache,
            "kv_cache_at_full_context": cache * shape.context,
        },
    }


def _from_sizes(overrides: Mapping[str, str], vocabulary: int | None) -> Subject:
    if vocabulary is None:
        raise UserError("--vocabulary is missing; sizes without a run file need it.")
    # The fields that a run must have, and that no count looks at.
    tables: dict[str, Any] = {"folder": ".", "data": {"sources": [{"path": "."}]}}
    lay_over(tables, overrides)
    return _from_run("flags", load(RunConfig, tables, ""), vocabulary)


def _from_run(source: str, config: RunConfig, vocabulary: int | None) -> Subject:
    size = _vocabulary(config) if vocabulary is None else _checked(vocabulary)
    shape = config.model.shape(size, config.data.tokens)
    return Subject(source, shape, config.train.precision, config.optimizer)


def _from_checkpoint(path: Path, overrides: Mapping[str, str], vocabulary: int | None) -> Subject:
    from stretto.checkpoint.folders import find, read_manifest

    folder = find(path)
    manifest = read_manifest(folder)
    given = ["--vocabulary"] if vocabulary is not None else [f"--{name}" for name in overrides]
    if given:
        raise UserError(f"{given[0]} cannot be given with {path}: a checkpoint's sizes are fixed.")
    config = load(RunConfig, dict(manifest.config), f"{folder}: config")
    return Subject(str(folder), manifest.shape, config.train.precision, config.optimizer)


def _vocabulary(config: RunConfig) -> int:
    from stretto.text.tokenizer import Tokenizer

    folder = config.data.sources[0].path
    if not folder.is_dir():
        raise UserError(f"data.sources.0.path is {str(folder)!r}, which does not exist; give --vocabulary N instead.")
    return Tokenizer.load(folder).vocabulary


def _checked(vocabulary: int) -> int:
    if vocabulary < 1:
        raise UserError(f"--vocabulary is {vocabulary}; expected an integer of at least 1.")
    return vocabulary


def _show_counts(out: Console, data: Mapping[str, Any]) -> None:
    count, flops, memory = data["parameters"], data["flops_per_token"], data["bytes"]
    facts = [
        ("model", f"{data['family']} from {data['source']}"),
        ("vocabulary, context", f"{data['vocabulary']:,}, {data['context_tokens']:,} tokens"),
    ]
    table(out, ("", ""), facts)
    places = list(_places(count.by_place).items())
    table(out, ("parameters", "number"), [(k, f"{v:,}") for k, v in [*places, ("total", count.total)]], "", ("number",))
    rates = [(k.replace("_", " "), f"{v / 1e6:,.3f}") for k, v in flops.items() if k != "convention"]
    table(out, ("FLOPs per token", "MFLOP"), rates, "", ("MFLOP",))
    out.print(f"{flops['convention']}; documents of {data['context_tokens']:,} tokens", markup=False)
    sizes = [(k.replace("_", " "), f"{v:,}", f"{v / 2**20:,.1f}") for k, v in memory.items()]
    how = f"{data['precision']} passes, {data['optimizer']}"
    table(out, ("bytes", "exactly", "MiB"), sizes, "", ("exactly", "MiB"))
    out.print(f"{how}; weights, gradients and optimizer state in {data['kept_in']}, on one device", markup=False)


def _places(by_place: Mapping[str, int]) -> dict[str, int]:
    """Parameters by place, the layers taken together."""
    layers = [size for place, size in by_place.items() if place.startswith("layers.")]
    rest = {place: size for place, size in by_place.items() if not place.startswith("layers.")}
    return {"embed": rest.pop("embed"), f"{len(layers)} layers": sum(layers), **rest}
