import numpy as np
import pytest

from stretto.count.flops import (
    batch_flops,
    causal_pairs,
    decode_flops,
    document_lengths,
    forward_flops,
    rates,
    training_flops,
)
from stretto.spec.batch import NO_LABEL, PackedBatch
from stretto.spec.run.model import LlamaModel

TINY = LlamaModel(width=8, layers=2, heads=2, kv_heads=1, head_width=4, feed_forward=16).shape(10, 32)
WIDE = LlamaModel(width=48, layers=3, heads=6, kv_heads=2, head_width=8, feed_forward=80).shape(101, 64)


def packed(lengths, unowned=0, unlabelled=()):
    tokens = sum(lengths) + unowned
    labels = np.ones(tokens, np.int32)
    labels[sum(lengths) :] = NO_LABEL
    labels[list(unlabelled)] = NO_LABEL
    positions = np.concatenate([np.arange(n) for n in [*lengths, unowned]]).astype(np.int32)
    offsets = np.cumsum([0, *lengths]).astype(np.int32)
    return PackedBatch(np.arange(tokens, dtype=np.int32) % 10, positions, labels, offsets)


def test_hand_worked_rates():
    cost = rates(TINY)
    assert cost.layers_per_token == 2 * 2 * (64 + 32 + 32 + 64 + 3 * 128)
    assert cost.head_per_token == 2 * 8 * 10
    assert cost.per_pair == 2 * 4 * 2 * 4


def test_pairs_of_documents():
    assert causal_pairs([1, 3]) == 1 + 6
    assert causal_pairs([]) == 0
    assert causal_pairs([4096]) < causal_pairs([2048]) * 4


def test_a_document_cut_in_two_costs_less_attention_and_the_same_matrices():
    whole, cut = forward_flops(TINY, [12]), forward_flops(TINY, [6, 6])
    assert (whole.layers, whole.head) == (cut.layers, cut.head)
    assert whole.attention - cut.attention == rates(TINY).per_pair * 36


def test_training_is_three_forward_passes_and_recomputation_is_apart():
    plain, again = training_flops(TINY, [7, 5]), training_flops(TINY, [7, 5], activation_checkpointing=True)
    forward = forward_flops(TINY, [7, 5])
    assert plain.model == plain.executed == again.model == 3 * forward.total
    down = 2 * 8 * 16  # the last matrix of a layer: its output is not needed again
    assert again.recomputed == forward.layers - 2 * 12 * down + forward.attention


def test_a_batch_counts_its_documents_and_its_labels_only():
    full, padded = packed([7, 5]), packed([7, 5], unowned=4)
    assert document_lengths(padded) == [7, 5]
    assert batch_flops(TINY, full) == batch_flops(TINY, padded) == training_flops(TINY, [7, 5])
    masked = batch_flops(TINY, packed([7, 5], unlabelled=[0, 3]))
    assert batch_flops(TINY, full).forward - masked.forward == 2 * rates(TINY).head_per_token


def test_decoding_adds_up_to_the_forward_pass():
    assert sum(decode_flops(TINY, n) for n in range(1, 10)) == forward_flops(TINY, [9]).total


@pytest.mark.parametrize("checkpointing", [False, True])
def test_equal_to_what_torch_counts(checkpointing):
    """torch counts every matmul that it runs; with attention written out over all pairs, L^2 of them."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from stretto.models.build import build
    from stretto.models.context import LocalContext
    from stretto.models.decoder import call_layer, checkpointed_layer
    from stretto.ops.cross_entropy import linear_cross_entropy

    class WrittenOut(LocalContext):
        def attend(self, spec, query, key, value):
            repeat = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1)
            scores = torch.bmm(query.transpose(0, 1), key.permute(1, 2, 0)) * spec.scale
            hidden = torch.ones_like(scores, dtype=torch.bool).triu(1)
            return torch.bmm(scores.masked_fill(hidden, -torch.inf).softmax(-1), value.transpose(0, 1)).transpose(0, 1)

    batch = packed([24], unlabelled=[2, 9])
    model = build(WIDE)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    call = checkpointed_layer if checkpointing else call_layer
    with FlopCounterMode(display=False) as counter:
        hidden = model(
            torch.from_numpy(batch.tokens).long(), torch.from_numpy(batch.positions), WrittenOut([0, 24]), call
        )
        linear_cross_entropy(hidden, model.head_weight, torch.from_numpy(batch.labels)).backward()
    expected = batch_flops(WIDE, batch, activation_checkpointing=checkpointing)
    # Written out, attention works on all 24 * 24 pairs; the convention counts those that a causal row may see.
    hidden_pairs = 24 * 24 - causal_pairs([24])
    passes = 4 if checkpointing else 3
    assert counter.get_total_flops() == expected.executed + passes * rates(WIDE).per_pair * hidden_pairs
