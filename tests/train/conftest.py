"""A small data set of real text, and a small run on it."""

from pathlib import Path

import pytest

from stretto.data.build import build
from stretto.data.library import library_files
from stretto.spec.run.config import RunConfig
from stretto.spec.value import load


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A folder with train/ and validation/: modules of the standard library, 512 token ids."""
    folder = tmp_path_factory.mktemp("text") / "data"
    build(library_files()[:24], folder, vocabulary=512, validation=0.2)
    return folder


@pytest.fixture
def make_config(small_data, tmp_path):
    """``make_config(**tables)``: a run of seconds, with tables laid over it."""

    def make(**tables) -> RunConfig:
        model = {"width": 32, "layers": 2, "heads": 2, "kv_heads": 1, "head_width": 16, "feed_forward": 48}
        table = {
            "folder": tmp_path / "run",
            "model": model,
            "data": {"sources": [{"path": small_data / "train"}], "tokens": 64, "window_rows": 16},
            "train": {"steps": 6, "rows": 4, "microbatch_rows": 2, "threads": 1},
            "metrics": {"peak_flops": 1e11},
        }
        for name, value in tables.items():
            table[name] = {**table[name], **value} if isinstance(table.get(name), dict) else value
        return load(RunConfig, table, "")

    return make


def run_file(config: RunConfig, path: Path) -> Path:
    """Write a configuration as a run file."""
    lines = [f'folder = "{config.folder}"']
    for name, table in config.model_dump(mode="json", exclude_none=True).items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *_fields(table)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _fields(table):
    for key, value in table.items():
        yield f"{key} = {_toml(value)}"


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(_fields(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
