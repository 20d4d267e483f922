import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stretto.data.build import build
from stretto.data.dataset import Dataset
from stretto.data.inspection import packing
from stretto.data.library import library_files
from stretto.data.rows import Rows, SourceRows
from stretto.data.writing import DatasetWriter
from stretto.spec.batch import NO_LABEL
from stretto.spec.errors import UserError
from stretto.text.training import train_tokenizer

from .conftest import data

sizes = st.lists(st.integers(1, 70), min_size=1, max_size=25)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    lengths=sizes,
    tokens=st.integers(2, 24),
    window_rows=st.integers(1, 6),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 2),
)
def test_every_token_once_an_epoch_in_full_rows_with_its_label(write, lengths, tokens, window_rows, seed, epoch):
    dataset = write(lengths)
    rows = SourceRows(dataset, tokens, window_rows, (seed, 0))
    count = rows.rows_per_epoch
    assert count == -(-sum(lengths) // tokens)
    batches = [rows.row(epoch * count + i) for i in range(count)]
    assert sorted(t for b in batches for t in b.tokens[: b.document_tokens]) == list(range(sum(lengths)))
    assert sum(b.document_tokens < tokens for b in batches) == (sum(lengths) % tokens > 0)
    last_of_document = set(np.cumsum(lengths) - 1)
    for batch in batches:
        _check_batch(batch, tokens, last_of_document)
    labels = sorted(t for b in batches for t in b.labels if t != NO_LABEL)
    firsts = set((np.cumsum(lengths) - lengths).tolist())
    assert labels == [t for t in range(sum(lengths)) if t not in firsts]


def _check_batch(batch, tokens, last_of_document):
    assert {len(batch.tokens), len(batch.positions), len(batch.labels)} == {tokens}
    assert {a.dtype for a in (batch.tokens, batch.positions, batch.labels, batch.offsets)} == {np.dtype(np.int32)}
    assert batch.offsets[0] == 0
    for start, stop in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        assert batch.positions[start:stop].tolist() == list(range(stop - start))
        assert (np.diff(batch.tokens[start:stop]) == 1).all()
    for token, label in zip(batch.tokens, batch.labels, strict=True):
        assert label == (NO_LABEL if token in last_of_document else token + 1) or label == NO_LABEL
    owned = batch.document_tokens
    assert (batch.labels[owned:] == NO_LABEL).all()
    marked = [t for t in batch.tokens[:owned] if t not in last_of_document]
    assert batch.labelled_tokens == len(marked)


def test_any_row_can_be_made_alone_and_in_any_order(write):
    dataset = write([5, 40, 3, 17, 60, 2, 9])
    config = data(dataset, tokens=16, window_rows=3, seed=7)
    together = Rows(config)
    forwards = [together.row(i).tokens.tolist() for i in range(40)]
    for i in (39, 0, 22, 21, 9, 10):
        assert Rows(config).row(i).tokens.tolist() == forwards[i]
        assert together.row(i).tokens.tolist() == forwards[i]


def test_seed_and_epoch_change_the_order(write):
    dataset = write([4] * 64)
    rows = [Rows(data(dataset, tokens=16, seed=s)) for s in (0, 1)]
    seen = [[tuple(r.row(e * 16 + i).tokens) for i in range(16)] for r in rows for e in (0, 1)]
    assert len({tuple(s) for s in seen}) == 4
    assert {t for row in seen[0] for t in row} == set(range(256))


def test_masked_tokens_have_no_label_even_across_a_cut(write):
    dataset = write([10], [[i in (2, 3, 8) for i in range(10)]])
    rows = Rows(data(dataset, tokens=4, window_rows=1))
    labels = sorted(t for i in range(3) for t in rows.row(i).labels if t != NO_LABEL)
    assert labels == [2, 3, 8]


def test_a_mixture_takes_every_source_by_its_weight_and_repeats_the_short_one(write):
    long, short = write([64] * 100), write([32])
    config = data(long, short, tokens=16)
    config = config.model_copy(
        update={
            "sources": tuple(s.model_copy(update={"weight": w}) for s, w in zip(config.sources, (3, 1), strict=True))
        }
    )
    rows = Rows(config)
    assert rows.shares == [0.75, 0.25]
    assert rows.rows_per_epoch == 402
    batches = [rows.row(i).tokens for i in range(1024)]
    alone = [rows.sources[1].row(i).tokens.tolist() for i in range(256)]
    from_short = [b.tolist() for b in batches if b.tolist() in alone[:2]]
    assert len(from_short) >= 256
    assert sorted(map(tuple, alone[:2])) == sorted(map(tuple, alone[254:]))


def test_sources_with_other_tokenizers_are_refused(write, tmp_path):
    first = write([5])
    other = train_tokenizer(["something else"], 270)
    writer = DatasetWriter(tmp_path / "other", other, 100)
    writer.add("x", [1, 2], None, 1)
    writer.finish({})
    config = data(first, tokens=4)
    source = config.sources[0].model_copy(update={"path": tmp_path / "other"})
    with pytest.raises(UserError, match="different tokenizers; build one of them again with --tokenizer"):
        Rows(config.model_copy(update={"sources": (*config.sources, source)}))


def test_rows_know_their_vocabulary(write, tokenizer):
    assert Rows(data(write([5]), tokens=4)).vocabulary == tokenizer.vocabulary


@pytest.mark.slow
def test_the_standard_library_packs_at_2048(tmp_path):
    build(library_files(), tmp_path / "out", vocabulary=4096)
    found = packing(SourceRows(Dataset.open(tmp_path / "out" / "train"), 2048, 64, (0, 0)))
    assert found.efficiency >= 0.98
    assert found.further_cuts < 0.5 * found.pieces


def test_rows_name_the_tokenizer_that_made_them(write, tokenizer):
    assert Rows(data(write([9]))).tokenizer == tokenizer.digest
