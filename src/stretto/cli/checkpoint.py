"""`stretto checkpoint inspect|verify PATH`: look into a checkpoint, and check it for damage. Torch-free."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.checkpoint import folders
from stretto.checkpoint.boxes import show
from stretto.cli.show import emit, progress, table
from stretto.spec.manifest import Manifest
from stretto.spec.parameters import parameters

if TYPE_CHECKING:
    from rich.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    actions = parser.add_subparsers(dest="action", required=True)
    inspect = actions.add_parser("inspect", help="say what a checkpoint holds")
    inspect.add_argument("--tensors", action="store_true", help="list every tensor and its pieces")
    verify = actions.add_parser("verify", help="read every byte and report damage (exit code 1)")
    for action in (inspect, verify):
        action.add_argument("path", type=Path, help="a checkpoint folder, or a run folder for its latest one")


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    return _verify(arguments) if arguments.action == "verify" else _inspect(arguments)


def _inspect(arguments: argparse.Namespace) -> int:
    folder = folders.find(arguments.path)
    manifest = folders.read_manifest(folder)
    facts = _facts(folder, manifest)
    data: dict[str, Any] = {**facts, "files": manifest.files}
    if arguments.tensors:
        data["tensors"] = manifest.tensors

    def render(out: Console) -> None:
        table(out, ("", ""), [(name.replace("_", " "), _plain(value)) for name, value in facts.items()])
        files = [(file.name, f"{file.size_bytes:,}", file.sha256[:16]) for file in manifest.files]
        table(out, ("file", "bytes", "sha256"), files, numbers=("bytes",))
        if arguments.tensors:
            table(out, ("tensor", "dtype", "shape", "pieces"), _tensor_rows(manifest), numbers=())

    emit(arguments, data, render)
    return 0


def _facts(folder: Path, manifest: Manifest) -> dict[str, Any]:
    done, shape = manifest.progress, manifest.shape
    return {
        "path": folder,
        "step": done.step,
        "tokens": done.tokens,
        "elapsed_s": round(done.elapsed_s, 1),
        "family": shape.family,
        "layers": len(shape.layers),
        "width": shape.width,
        "vocabulary": shape.vocabulary,
        "parameters": sum(parameter.size for parameter in parameters(shape)),
        "tensors_stored": len(manifest.tensors),
        "bytes": sum(file.size_bytes for file in manifest.files),
        "config_digest": manifest.config_digest,
        "stretto_version": manifest.stretto_version,
        "torch_version": manifest.torch_version,
    }


def _tensor_rows(manifest: Manifest) -> list[tuple[str, str, str, str]]:
    return [
        (
            tensor.name,
            tensor.dtype,
            "x".join(map(str, tensor.shape)) or "scalar",
            "; ".join(f"{piece.file} {show(piece.intervals)}" for piece in tensor.pieces),
        )
        for tensor in manifest.tensors
    ]


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _verify(arguments: argparse.Namespace) -> int:
    from stretto.checkpoint.verifying import verify

    with progress("checked bytes") as advance:
        verdict = verify(arguments.path, advance)

    def render(out: Console) -> None:
        for problem in verdict.problems:
            out.print(problem, markup=False)
        if verdict.intact:
            out.print(f"{verdict.path} is intact: {verdict.checked_bytes:,} bytes checked.", markup=False)

    data = {
        "path": verdict.path,
        "step": verdict.step,
        "intact": verdict.intact,
        "bytes": verdict.checked_bytes,
        "problems": verdict.problems,
    }
    emit(arguments, data, render)
    return 0 if verdict.intact else 1
