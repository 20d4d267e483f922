import numpy as np
import pytest

from stretto.data.dataset import Dataset
from stretto.spec.errors import UserError


def test_lengths_bytes_and_parts(write):
    dataset = write([3, 5])
    assert (len(dataset), dataset.tokens) == (2, 8)
    assert dataset.lengths.tolist() == [3, 5]
    assert dataset.text_bytes.tolist() == [12, 20]
    assert dataset.part(1, 1, 3)[0].tolist() == [4, 5]
    assert list(dataset.names()) == ["document 0", "document 1"]
    assert not dataset.has_loss


def test_a_foreign_folder(tmp_path):
    with pytest.raises(
        UserError, match=r"is no data set: expected a folder that stretto data build made, with index.json\.$"
    ):
        Dataset.open(tmp_path)


def test_the_folder_above(write):
    dataset = write([3])
    folder = dataset.folder.rename(dataset.folder.parent / "train")
    with pytest.raises(UserError, match=f"did you mean {folder}"):
        Dataset.open(folder.parent)


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("00000.tokens", lambda p: p.write_bytes(p.read_bytes()[:-1]), "has 15 bytes, expected 16"),
        ("00000.names.jsonl", lambda p: p.unlink(), "00000.names.jsonl is missing"),
        ("00000.offsets.npy", lambda p: p.write_bytes(b"x" * p.stat().st_size), "is a damaged data set"),
        ("index.json", lambda p: p.write_text(p.read_text()[:-5]), "damaged at line"),
        ("index.json", lambda p: p.write_text(p.read_text().replace("dataset/1", "dataset/9")), "'stretto.dataset/9'"),
    ],
)
def test_damage_is_one_sentence(write, name, damage, sentence):
    dataset = write([3, 5])
    damage(dataset.folder / name)
    with pytest.raises(UserError, match=sentence):
        Dataset.open(dataset.folder)


@pytest.mark.parametrize("starts", [[0, -1, 8], [0, 9, 8], [1, 3, 8], [0, 3, 7], [0, 0, 8], [0.0, 3.0, 8.0]])
def test_documents_that_do_not_lie_end_to_end(write, starts):
    dataset = write([3, 5])
    np.save(dataset.folder / "00000.offsets.npy", np.asarray(starts))
    with pytest.raises(UserError, match=r"offsets.npy does not lay 2 documents end to end, from 0 to 8 tokens; build"):
        Dataset.open(dataset.folder)


def test_bytes_that_cannot_be(write):
    dataset = write([3, 5])
    np.save(dataset.folder / "00000.bytes.npy", np.asarray([12, -20]))
    with pytest.raises(UserError, match=r"bytes.npy does not hold the bytes of 2 documents"):
        Dataset.open(dataset.folder)


def test_ids_that_the_vocabulary_lacks(write):
    dataset = write([3, 5])
    path = dataset.folder / "00000.tokens"
    np.asarray([0, 1, 2, 3, 4, 300, 6, 7], "<u2").tofile(path)
    damaged = Dataset.open(dataset.folder)
    assert damaged.part(1, 0, 2)[0].tolist() == [3, 4]
    with pytest.raises(UserError, match="document 1 has the id 300, expected ids below its vocabulary, 300; build it"):
        damaged.document(1)
