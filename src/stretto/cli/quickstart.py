"""`stretto quickstart`: from nothing to a language model that writes Python, in some minutes on a laptop.

Reads the Python standard library on this machine, trains a tokenizer and a small model on it, measures the model on
held-out files against a strong general compressor, and lets it complete a function.
"""

from __future__ import annotations

import argparse
import ast
import lzma
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.cli import show
from stretto.spec.errors import StrettoError, bad_value

if TYPE_CHECKING:
    from rich.console import Console

    from stretto.spec.run.config import RunConfig
    from stretto.train.evaluation import Evaluation
    from stretto.train.loop import Outcome

PROMPT = 'def read_config(path):\n    """Read a configuration file and return its options as a dictionary."""\n    '
ATTEMPTS = 32
VOCABULARY = 4096
RANKS = (1, 2, 4, 8)
STOPS = ("\ndef ", "\nclass ", "\n\n\n")


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote.

    Attributes:
        text: the prompt and its completion.
        attempt: its number among the completions that were drawn, from 1.
        parses: whether Python can parse it.
    """

    text: str
    attempt: int
    parses: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, how long and on how many ranks."""
    parser.add_argument("--folder", type=Path, default=Path("quickstart"), help="where to write (default: quickstart)")
    parser.add_argument("--seconds", metavar="S", type=float, default=240, help="training time (default: 240)")
    parser.add_argument("--ranks", metavar="N", type=int, default=2, help="local ranks: 1, 2, 4 or 8 (default: 2)")


def run(arguments: argparse.Namespace) -> int:
    """Build the data, train, measure, write."""
    from stretto.cli.watching import Display
    from stretto.train.run import train

    config = _config(arguments)
    _build_data(arguments.folder / "data", VOCABULARY)
    outcome = train(config, watch=Display(quiet=arguments.json))
    from stretto.cli.train import draw_curve

    curve = draw_curve(outcome.folder)
    held_out = config.validation.path
    assert held_out is not None
    found, packed = _measure(outcome.checkpoint, held_out), compressed_bits_per_byte(held_out)
    written = complete_function(outcome.checkpoint)
    data = {
        "folder": outcome.folder,
        "checkpoint": outcome.checkpoint,
        "curve": curve,
        "steps": outcome.step,
        "elapsed_s": outcome.elapsed_s,
        "evaluation": asdict(found),
        "lzma_bits_per_byte": packed,
        "below_lzma": 1 - found.bits_per_byte / packed,
        "written": asdict(written),
    }
    show.emit(arguments, data, lambda out: _say(out, outcome, curve, found, packed, written, held_out))
    return 0


def _config(arguments: argparse.Namespace) -> RunConfig:
    from stretto.spec.run.config import read_run

    if not arguments.seconds > 0:
        raise bad_value("--seconds", arguments.seconds, "more than 0")
    if arguments.ranks not in RANKS:
        raise bad_value("--ranks", arguments.ranks, "1, 2, 4 or 8, which divide the rows of a step")
    data = arguments.folder / "data"
    run_folder = next(p for n in count(1) if not (p := arguments.folder / f"run-{n}").exists())
    overrides = {
        "folder": str(run_folder),
        "data.sources": f"[{{path = '{data / 'train'}'}}]",
        "validation.path": str(data / "validation"),
        "train.seconds": str(arguments.seconds),
        "layout.data": str(arguments.ranks),
        "train.microbatch_rows": str(min(4, 8 // arguments.ranks)),
    }
    with as_file(files("stretto.recipes") / "quickstart.toml") as recipe:
        return read_run(recipe, overrides)


def _build_data(folder: Path, vocabulary: int) -> None:
    from stretto.data.build import build
    from stretto.data.library import library_files

    if folder.exists():
        return
    found = library_files()
    size = sum(p.stat().st_size for p in found)
    with show.progress(f"{len(found)} files of the Python standard library, {size / 1e6:.1f} MB") as advance:
        build(found, folder, vocabulary=vocabulary, validation=0.05, progress=lambda _: advance())


def _measure(checkpoint: Path, held_out: Path) -> Evaluation:
    from stretto.data.dataset import Dataset
    from stretto.train.evaluation import evaluate

    with show.progress("held-out tokens", Dataset.open(held_out).predicted_tokens) as advance:
        return evaluate(checkpoint, held_out, progress=advance)


def compressed_bits_per_byte(held_out: Path) -> float:
    """What ``lzma -9e`` makes of the held-out files, laid end to end as one stream.

    Raises:
        StrettoError: the files have changed since the data was built.
    """
    from stretto.data.dataset import Dataset

    data = Dataset.open(held_out)
    text = b"".join(Path(name).read_bytes() for name in data.names())
    if len(text) != int(data.text_bytes.sum()):
        raise StrettoError(f"the files of {held_out} have changed since it was built; remove it and start again.")
    return 8 * len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)) / len(text)


def complete_function(checkpoint: Path) -> Written:
    """Let the model complete a function in some ways at once; the longest that Python can parse counts."""
    from stretto.engine.engine import Engine
    from stretto.spec.request import Sampling

    engine = Engine.load(checkpoint, max_batch=ATTEMPTS)
    requests = [
        engine.request(str(seed), PROMPT, Sampling(temperature=0.6, top_p=0.95, seed=seed, max_tokens=128, stop=STOPS))
        for seed in range(ATTEMPTS)
    ]
    texts = {int(done.id): _function(PROMPT + done.text) for done in engine.completions(requests)}
    best = max(sorted(texts), key=lambda seed: _statements(texts[seed]))
    return Written(texts[best], best + 1, _statements(texts[best]) > 0)


def _function(text: str) -> str:
    """The text up to the first line that no longer belongs to the function."""
    first, *rest = text.split("\n")
    body = takewhile(lambda line: not line.strip() or line.startswith(" "), rest)
    return "\n".join((first, *body)).rstrip()


def _statements(text: str) -> int:
    """Statements of a function besides its docstring; 0 if Python cannot parse the text as one function."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return 0
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        return 0
    return sum(isinstance(node, ast.stmt) for node in ast.walk(tree)) - 2


def _say(
    out: Console,
    outcome: Outcome,
    curve: Path | None,
    found: Evaluation,
    packed: float,
    written: Written,
    held_out: Path,
) -> None:
    below = 1 - found.bits_per_byte / packed
    rows: list[tuple[str, Any]] = [
        ("trained", f"{outcome.step:,} steps, {outcome.tokens:,} tokens in {outcome.elapsed_s:.0f} s"),
        ("held-out bits per byte", f"{found.bits_per_byte:.4f}"),
        ("lzma -9e of the same files", f"{packed:.4f}"),
        ("below lzma" if below >= 0 else "above lzma", f"{abs(below):.1%}"),
        ("checkpoint", outcome.checkpoint),
        ("loss curve", curve or "no loss was written down"),
    ]
    out.print()
    show.table(out, ("", ""), rows)
    how = "the longest that parses" if written.parses else "none of them parses"
    out.print(f"\nA function, completed by the model ({how}, of {ATTEMPTS} attempts):\n", markup=False)
    out.print(written.text, markup=False)
    out.print(
        "\nWhat to run next:\n"
        f"  stretto generate {outcome.checkpoint} --prompt 'import os'\n"
        f"  stretto evaluate {outcome.folder} {held_out}\n"
        f"  stretto checkpoint inspect {outcome.folder}\n"
        f"  stretto data inspect {held_out.parent}",
        markup=False,
    )
