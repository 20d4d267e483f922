import numpy as np
import pytest

from stretto.spec.batch import NO_LABEL, PackedBatch, join


def batch(lengths, unowned=0, first=0):
    owned = sum(lengths)
    tokens = np.arange(first, first + owned + unowned, dtype=np.int32)
    labels = np.where(np.arange(owned + unowned) < owned, tokens + 1, NO_LABEL).astype(np.int32)
    positions = np.concatenate([np.arange(n) for n in [*lengths, unowned]]).astype(np.int32)
    return PackedBatch(tokens, positions, labels, np.cumsum([0, *lengths]).astype(np.int32))


def test_counts():
    found = batch([3, 2], unowned=4)
    assert (found.document_tokens, found.labelled_tokens) == (5, 5)


@pytest.mark.parametrize("unowned", [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_documents_keep_their_tokens_wherever_rows_have_no_document(unowned):
    parts = [batch([3, 2], unowned[0]), batch([4], unowned[1], first=100)]
    joined = join(parts)
    assert joined.offsets.tolist() == [0, 3, 5, 9]
    assert joined.tokens[:9].tolist() == [0, 1, 2, 3, 4, 100, 101, 102, 103]
    assert joined.positions[:9].tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert len(joined.tokens) == sum(len(part.tokens) for part in parts)
    assert joined.labelled_tokens == sum(part.labelled_tokens for part in parts)
    assert (joined.labels[9:] == NO_LABEL).all()
    assert {a.dtype for a in (joined.tokens, joined.positions, joined.labels, joined.offsets)} == {np.dtype(np.int32)}
