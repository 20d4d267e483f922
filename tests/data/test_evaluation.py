import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stretto.data.evaluation import pieces
from stretto.spec.batch import NO_LABEL
from stretto.spec.errors import UserError


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8), tokens=st.integers(1, 12), data=st.data())
def test_every_token_is_predicted_once_from_as_much_as_was_asked_for(write, lengths, tokens, data):
    overlap = data.draw(st.integers(0, tokens - 1))
    room = data.draw(st.integers(tokens, 40))
    dataset = write(lengths)
    predicted = []
    for batch in pieces(dataset, tokens, overlap, room):
        assert batch.document_tokens == len(batch.tokens) <= room
        for a, z in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
            inputs, labels = batch.tokens[a:z].tolist(), batch.labels[a:z].tolist()
            assert 0 < len(inputs) <= tokens
            assert batch.positions[a:z].tolist() == list(range(z - a))
            context = labels.count(NO_LABEL)
            assert labels == [NO_LABEL] * context + [t + 1 for t in inputs[context:]]
            assert len(labels) > context
            assert context in (0, overlap)
            predicted += labels[context:]
    firsts = {sum(lengths[:i]) for i in range(len(lengths))}
    assert predicted == [t for t in range(sum(lengths)) if t not in firsts]
    assert len(predicted) == dataset.predicted_tokens


def test_masked_tokens_are_not_predicted(write):
    dataset = write([8, 3], [[i in (0, 5) for i in range(8)], None])
    labels = [int(t) for b in pieces(dataset, 4, 1, 100) for t in b.labels if t != NO_LABEL]
    assert labels == [5, 9, 10]


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((0, 0, 8), "tokens is 0"),
        ((4, 4, 8), "overlap is 4; expected at least 0 and below tokens, 4"),
        ((4, -1, 8), "overlap is -1"),
        ((4, 0, 3), "microbatch_tokens is 3; expected at least tokens, 4"),
    ],
)
def test_sizes_that_do_not_fit(write, sizes, sentence):
    with pytest.raises(UserError, match=sentence):
        next(pieces(write([5]), *sizes))
