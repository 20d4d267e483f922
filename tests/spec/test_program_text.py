"""Records as text: every record has one text, and the text means it again; anything else is refused in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, Pair, State, Vocabulary
from stretto.spec.program_text import read_record, write_record

small = st.integers(0, 300)
computes = st.builds(Compute, st.sampled_from("FBIW"), small, small, small, small, small)
records = st.one_of(
    computes,
    st.builds(
        Pair,
        st.builds(Compute, st.just("F"), small, small, small, small, small),
        st.builds(Compute, st.sampled_from("BI"), small, small, small, small, small),
        st.booleans(),
    ),
    st.builds(Vocabulary, st.sampled_from("ESTG"), small, small, small),
    st.builds(Memory, st.sampled_from(["recompute", "offload", "reload"]), small, small, small, small),
    st.builds(State, st.sampled_from(["gather", "reduce", "update", "validate", "rollback"]), small, small, small),
)


@given(records)
def test_a_text_means_its_record(record):
    found = read_record(write_record(record))
    assert found == record
    assert type(found) is type(record)


@given(records, records)
def test_different_records_have_different_texts(one, other):
    assert (write_record(one) == write_record(other)) == (one == other and type(one) is type(other))


def test_what_is_0_is_left_out():
    assert write_record(Compute("F", 3, 12)) == "F3.12"
    assert write_record(Compute("I", 3, 12, 1, 1, 4)) == "I3.12/1@1^4"
    assert write_record(Pair(Compute("F", 3, 12), Compute("B", 4, 7), True)) == "F3.12+>B4.7"
    assert write_record(State("update", 3, 0, 2)) == "update3^2"


@pytest.mark.parametrize(
    "text", ["", "F3", "X3.1", "F3.1/", "F-1.2", "B1.2+F1.2", "F1.2+S3", "F1.2+", "S1.2", "update", "F1.2 "]
)
def test_other_texts_are_refused(text):
    with pytest.raises(UserError, match="record is"):
        read_record(text)
