"""The decoder: packing is exact, nothing leaks, any cut is legal, and it is the Llama that transformers knows."""

import itertools

import pytest
import torch

from stretto.models.build import build, initialize
from stretto.models.context import LocalContext
from stretto.models.decoder import checkpointed_layer
from stretto.models.llama import hugging_face_names, shape_from_hugging_face
from stretto.ops.cross_entropy import linear_cross_entropy
from stretto.spec.parameters import parameters
from stretto.spec.run.model import LlamaModel


def _shape(tied=False, **changes):
    sizes = {"width": 24, "layers": 3, "heads": 6, "kv_heads": 2, "head_width": 4, "feed_forward": 40} | changes
    return LlamaModel(**sizes, tied=tied).shape(vocabulary=53, context=32)


def _model(shape, dtype=torch.float64, **part):
    model = build(shape, dtype=dtype, **part)
    initialize(dict(model.named_parameters()), shape, seed=1)
    return model


def _batch(offsets, total, seed=0):
    tokens = torch.randint(53, (total,), generator=torch.Generator().manual_seed(seed), dtype=torch.int32)
    positions = torch.zeros(total, dtype=torch.int32)
    for start, stop in itertools.pairwise(offsets):
        positions[start:stop] = torch.arange(stop - start)
    return tokens, positions


def _loss_and_grads(model, tokens, positions, offsets, labels):
    model.zero_grad()
    hidden = model(tokens, positions, LocalContext(offsets))
    loss = linear_cross_entropy(hidden, model.head_weight, labels)
    loss.backward()
    return loss.detach(), {n: p.grad.clone() for n, p in model.named_parameters()}


@pytest.mark.parametrize("tied", [False, True])
def test_packed_equals_separate_documents(tied):
    model = _model(_shape(tied))
    offsets = (0, 5, 6, 29)
    tokens, positions = _batch(offsets, 32)
    labels = torch.randint(53, (32,), dtype=torch.int32)
    labels[29:] = -1
    packed_loss, packed = _loss_and_grads(model, tokens, positions, offsets, labels)
    total, summed = 0.0, dict.fromkeys(packed, 0.0)
    for start, stop in itertools.pairwise(offsets):
        rows = slice(start, stop)
        loss, grads = _loss_and_grads(model, tokens[rows], positions[rows], (0, stop - start), labels[rows])
        total += loss
        summed = {n: summed[n] + g for n, g in grads.items()}
    assert abs(total - packed_loss) <= 1e-12 * abs(total)
    for name, grad in packed.items():
        assert (grad - summed[name]).abs().max() <= 1e-12 * summed[name].abs().max(), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_documents_leave_the_bits_alone(dtype):
    model = _model(_shape(), dtype)
    offsets = (0, 9, 20, 32)
    tokens, positions = _batch(offsets, 32)
    other = tokens.clone()
    other[9:20] = (other[9:20] + 7) % 53
    with torch.no_grad():
        a, b = (model(t, positions, LocalContext(offsets)) for t in (tokens, other))
    assert torch.equal(a[:9], b[:9])
    assert torch.equal(a[20:], b[20:])
    assert not torch.equal(a[9:20], b[9:20])


@pytest.mark.parametrize("tied", [False, True])
def test_a_cut_model_is_the_whole_one(tied):
    shape = _shape(tied)
    whole = _model(shape)
    tokens, positions = _batch((0, 10, 16), 16)
    context = LocalContext((0, 10, 16))
    parts = [
        _model(shape, layers=range(1), embed=True, head=False),
        _model(shape, layers=range(1, 1), embed=False, head=False),
        _model(shape, layers=range(1, 3), embed=False, head=True),
    ]
    x = tokens
    for part in parts:
        x = part(x, positions, context)
    assert torch.equal(x, whole(tokens, positions, context))
    assert torch.equal(parts[-1].head_weight, whole.head_weight)


def test_recomputation_changes_no_bit():
    model = _model(_shape(), torch.float32)
    tokens, positions = _batch((0, 16), 16)
    grads = []
    for options in ({}, {"call": checkpointed_layer}):
        model.zero_grad()
        model(tokens, positions, LocalContext((0, 16)), **options).square().sum().backward()
        grads.append([p.grad.clone() for n, p in model.named_parameters() if n != "head.weight"])
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


@pytest.mark.parametrize("tied", [False, True])
def test_modules_are_the_parameter_table(tied):
    shape = _shape(tied)
    built = {n: tuple(p.shape) for n, p in build(shape, device="meta").named_parameters()}
    assert built == {p.name: p.shape for p in parameters(shape)}


def test_a_part_without_a_head_says_so():
    with pytest.raises(ValueError, match="no output head"):
        _ = build(_shape(), layers=range(1), embed=False, head=False).head_weight


def _transformers_pair(dtype, **changes):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=131,
        hidden_size=28,
        intermediate_size=52,
        num_hidden_layers=3,
        num_attention_heads=7,
        num_key_value_heads=1,
        head_dim=6,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        **changes,
    )
    torch.manual_seed(0)
    theirs = transformers.LlamaForCausalLM(config).to(dtype).eval()
    shape = shape_from_hugging_face(config.to_dict())
    ours = build(shape, dtype=dtype)
    state = theirs.state_dict()
    ours.load_state_dict({name: state[other] for name, other in hugging_face_names(shape).items()})
    return ours, theirs


@pytest.mark.parametrize("tied", [False, True])
def test_logits_of_transformers(tied):
    ours, theirs = _transformers_pair(torch.float32, tie_word_embeddings=tied)
    tokens = torch.randint(131, (47,))
    with torch.no_grad():
        expected = theirs(tokens[None]).logits[0]
        hidden = ours(tokens, torch.arange(47), LocalContext((0, 47)))
        logits = hidden @ ours.head_weight.T
    assert (logits - expected).abs().max() <= 2e-5 * expected.abs().max()


def test_greedy_of_transformers():
    ours, theirs = _transformers_pair(torch.float64)
    tokens = torch.randint(131, (9,))
    expected = theirs.generate(tokens[None], max_new_tokens=24, do_sample=False, eos_token_id=None)[0].tolist()
    text = tokens
    with torch.no_grad():
        for _ in range(24):
            count = len(text)
            hidden = ours(text, torch.arange(count), LocalContext((0, count)))
            text = torch.cat((text, (hidden[-1:] @ ours.head_weight.T).argmax(1)))
    assert text.tolist() == expected
