import os

import pytest

from stretto.spec.environment import Ranks, launched_ranks, launcher_leaves_signals
from stretto.spec.errors import UserError

NAMES = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE")


def launched(monkeypatch, *values):
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    return launched_ranks()


def test_nothing_launched_it(monkeypatch):
    assert launched(monkeypatch, None, None, None, None) is None


def test_a_launchers_rank(monkeypatch):
    assert launched(monkeypatch, "5", "1", "4", "8") == Ranks(rank=5, local_rank=1, local_ranks=4, ranks=8)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (("0", None, "1", "1"), "RANK=0, LOCAL_WORLD_SIZE=1, WORLD_SIZE=1; expected RANK, LOCAL_RANK"),
        ((None, None, None, "2"), "sets WORLD_SIZE=2;"),
        (("0", "0", "1", "two"), "as integers"),
        (("8", "0", "4", "8"), "expected ranks below their numbers of ranks"),
        (("0", "4", "4", "8"), "expected ranks below their numbers of ranks"),
        (("0", "0", "4", "2"), "expected ranks below their numbers of ranks"),
        (("0", "1", "2", "2"), "expected ranks below their numbers of ranks"),
    ],
)
def test_half_an_environment_is_told(monkeypatch, values, says):
    with pytest.raises(UserError) as error:
        launched(monkeypatch, *values)
    assert says in str(error.value)


@pytest.mark.parametrize("before", [None, "SIGTERM"])
def test_the_launcher_is_told_and_untold(monkeypatch, before):
    name = "TORCHELASTIC_SIGNALS_TO_HANDLE"
    monkeypatch.delenv(name, raising=False)
    if before is not None:
        monkeypatch.setenv(name, before)
    with launcher_leaves_signals():
        assert os.environ[name] == "SIGHUP,SIGQUIT"
    assert os.environ.get(name) == before
