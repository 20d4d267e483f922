"""What every test may ask for: `ranks`, several gloo ranks started from one fork server."""

import os

import pytest
import torch

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
