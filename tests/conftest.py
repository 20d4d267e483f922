"""What every test may ask for: `ranks`, several gloo ranks started from one fork server."""

import os

import pytest

from stretto.testing.ranks import Ranks


def pytest_collection_modifyitems(items):
    """Leave slow tests out unless SLOW=1."""
    if os.environ.get("SLOW") == "1":
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with SLOW=1"))


@pytest.fixture(scope="session")
def ranks():
    """A pool of ranks: ``ranks.run(2, function, *args)``; functions are importable by name."""
    return Ranks()
