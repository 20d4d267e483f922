"""What every test may ask for: several gloo ranks, small data of real text, and small runs on it."""

import os

import pytest
import torch

from stretto.data.build import build
from stretto.data.library import library_files
from stretto.spec.run.config import RunConfig
from stretto.spec.value import load
from stretto.testing.ranks import Ranks


def pytest_collection_modifyitems(items):
    """Leave slow tests out unless SLOW=1, and tests of a GPU where there is none."""
    if os.environ.get("SLOW") != "1":
        skip(items, "slow", "slow: run with SLOW=1")
    if any(item.get_closest_marker("gpu") for item in items) and not torch.cuda.is_available():
        skip(items, "gpu", "gpu: torch finds none here")


def skip(items, mark, reason):
    """Skip the tests that carry a mark."""
    for item in items:
        if item.get_closest_marker(mark):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def ranks():
    """A pool of ranks: ``ranks.run(2, function, *args)``; functions are importable by name."""
    return Ranks()


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
