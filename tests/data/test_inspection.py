from stretto.data import inspection
from stretto.data.inspection import Bin, histogram, inspect, packing
from stretto.data.rows import Rows, SourceRows

from .conftest import data


def test_what_a_data_set_holds(write):
    dataset = write([5, 15, 16, 300, 2])
    found = inspect(dataset, tokens=64)
    assert (found.documents, found.tokens, found.predicted_tokens) == (5, 338, 333)
    assert found.bytes_per_token == 4 * 338 / 333
    assert found.length_percentiles[50] == 15
    assert found.length_percentiles[100] == 300
    assert found.packing.rows == 6
    assert found.packing.efficiency == 338 / (6 * 64)
    assert found.packing.needed_cuts == 4


def test_histogram(write):
    assert histogram(write([5, 15, 16, 300, 2])) == (
        Bin(0, 15, 3, 22),
        Bin(16, 63, 1, 16),
        Bin(64, 255, 0, 0),
        Bin(256, 1023, 1, 300),
    )


def test_cuts_of_documents_that_need_none(write):
    found = packing(SourceRows(write([6, 4, 7, 3, 5, 5, 9, 1]), 10, 4, (0, 0)))
    assert (found.pieces, found.needed_cuts, found.further_cuts, found.efficiency) == (8, 0, 0, 1.0)
    assert packing(SourceRows(write([7, 7, 6]), 10, 2, (0, 0))).further_cuts == 1


def test_a_long_epoch_is_sampled(write, monkeypatch):
    monkeypatch.setattr(inspection, "PACKED_ROWS", 4)
    found = packing(SourceRows(write([30] * 10), 10, 2, (0, 0)))
    assert (found.rows, found.efficiency, found.further_cuts >= 0) == (4, 1.0, True)


def test_a_data_set_packs_as_in_a_run_that_says_nothing(write):
    dataset = write([70, 50, 90] * 100)
    assert inspect(dataset, 64).packing == packing(Rows(data(dataset, tokens=64)).sources[0])
    assert inspect(dataset, 64).packing != inspect(dataset, 64, window_rows=64).packing
    assert inspect(dataset).packing == packing(Rows(data(dataset)).sources[0])
