"""The quickstart's parts; the whole of it runs in continuous integration by its own command."""

import argparse
import lzma

import pytest

from stretto.cli import quickstart
from stretto.data.build import build
from stretto.spec.errors import StrettoError, UserError


def _arguments(folder, **changes):
    return argparse.Namespace(**{"folder": folder, "seconds": 240.0, "ranks": 2} | changes)


def test_the_recipe_is_a_valid_run(tmp_path):
    config = quickstart._config(_arguments(tmp_path))
    assert (config.layout.data, config.train.seconds) == (2, 240)
    assert config.data.sources[0].path == tmp_path / "data" / "train"
    assert config.folder == tmp_path / "run-1"
    config.folder.mkdir(parents=True)
    assert quickstart._config(_arguments(tmp_path)).folder == tmp_path / "run-2"


@pytest.mark.parametrize(
    ("changes", "sentence"), [({"seconds": -1.0}, "--seconds is -1.0"), ({"ranks": 3}, "--ranks is 3")]
)
def test_wrong_flags(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        quickstart._config(_arguments(tmp_path, **changes))


def test_bits_per_byte_of_the_held_out_files(tmp_path):
    for i in range(40):
        (tmp_path / f"{i}.txt").write_text(f"document {i} " * (i + 1))
    build([tmp_path], tmp_path / "data", vocabulary=300, validation=0.3)
    held_out = tmp_path / "data" / "validation"
    names = (held_out / "00000.names.jsonl").read_text().split()
    text = b"".join((tmp_path / name.strip('"').rsplit("/", 1)[-1]).read_bytes() for name in names)
    expected = 8 * len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)) / len(text)
    assert quickstart.compressed_bits_per_byte(held_out) == pytest.approx(expected)
    (tmp_path / names[0].strip('"').rsplit("/", 1)[-1]).write_text("changed")
    with pytest.raises(StrettoError, match="have changed"):
        quickstart.compressed_bits_per_byte(held_out)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ('def f(x):\n    """Doc."""\n    y = x\n    return y', 2),
        ('def f(x):\n    """Doc."""', 0),
        ("def f(x):\n    return (", 0),
        ("x = 1", 0),
    ],
)
def test_statements(text, statements):
    assert quickstart._statements(text) == statements


def test_a_function_ends_where_the_indentation_does():
    assert quickstart._function("def f():\n    a\n\n    b\nc = 1\n    d") == "def f():\n    a\n\n    b"
