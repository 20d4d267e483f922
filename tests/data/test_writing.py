import errno
import signal
import subprocess
import sys

import pytest

from stretto.data.dataset import Dataset
from stretto.data.writing import DatasetWriter, appearing
from stretto.spec.errors import StrettoError, UserError
from stretto.spec.value import dump_json


def test_a_folder_appears_whole(tmp_path):
    with appearing(tmp_path / "a" / "b") as hidden:
        (hidden / "x").write_text("1")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "x").read_text() == "1"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), appearing(tmp_path / "a"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_leaves_no_data_set(tmp_path):
    (tmp_path / "corpus").mkdir()
    for i in range(9):
        (tmp_path / "corpus" / str(i)).write_text(f"voice {i}")
    program = (
        "import os, signal, sys; from stretto.data.build import build; "
        f"build([{str(tmp_path / 'corpus')!r}], {str(tmp_path / 'out')!r}, vocabulary=300, validation=0, "
        "progress=lambda _: os.kill(os.getpid(), signal.SIGKILL))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".out.writing-")]


def test_a_full_disk_is_one_sentence(tmp_path):
    with pytest.raises(StrettoError, match="No space left on device; nothing was kept") as caught:  # noqa: SIM117
        with appearing(tmp_path / "a"):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a cannot be made: "), appearing(tmp_path / "file" / "a"):
        pass


def test_shards_join_to_the_same_data_set(write):
    lengths = [3, 1, 7, 2, 5, 4]
    loss = [None, None, [i % 2 == 0 for i in range(7)], None, None, [True] * 4]
    whole, cut = write(lengths, loss), write(lengths, loss, shard_tokens=4)
    assert [s.loss for s in cut.index.shards] == [False, True, False, False]
    assert len(whole.index.shards) == 1
    for i in range(len(lengths)):
        (a, a_loss), (b, b_loss) = whole.document(i), cut.document(i)
        assert a.tolist() == b.tolist()
        expected = [True] * lengths[i] if loss[i] is None else loss[i]
        for marks in (a_loss, b_loss):
            assert marks is None or marks.tolist() == expected
    assert list(whole.names()) == list(cut.names())
    assert whole.predicted_tokens == cut.predicted_tokens == 22 - 6 - 3


def test_a_large_vocabulary_takes_four_bytes(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr("stretto.data.writing._SMALL_VOCABULARY", 10)
    writer = DatasetWriter(tmp_path / "a", tokenizer, 100)
    writer.add("x", [1, 2**20], None, 1)
    index = writer.finish({})
    assert index.dtype == "uint32"
    wide = index.model_copy(update={"vocabulary": 2**20 + 1})
    (tmp_path / "a" / "index.json").write_text(dump_json(wide))
    assert Dataset.open(tmp_path / "a").document(0)[0].tolist() == [1, 2**20]


def test_no_document_gives_no_index(tmp_path, tokenizer):
    assert DatasetWriter(tmp_path / "a", tokenizer, 100).finish({}) is None
    assert not (tmp_path / "a" / "index.json").exists()
