"""Generation with a cache and in company is generation without either, and wrong requests get one sentence."""

import gc
from dataclasses import replace

import pytest
import torch

import stretto
from stretto.engine.cache import KeyValues
from stretto.engine.engine import Engine
from stretto.models.build import build
from stretto.models.context import LocalContext
from stretto.models.llama import hugging_face_names, shape_from_hugging_face
from stretto.spec.errors import UserError
from stretto.spec.request import Request, Sampling
from stretto.testing.small import small_checkpoint, small_model, small_shape, small_tokenizer

GREEDY = Sampling(temperature=0, max_tokens=20)


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


@pytest.fixture(scope="module")
def engine(tokenizer):
    shape = small_shape(tokenizer.vocabulary)
    return Engine(small_model(shape), shape, tokenizer, max_batch=4)


@pytest.fixture
def requests(tokenizer):
    """Nine requests of mixed lengths and ways of sampling."""
    ways = (
        {"temperature": 0.0},
        {"temperature": 1.0},
        {"temperature": 0.7, "top_k": 20},
        {"temperature": 1.2, "top_p": 0.8, "min_p": 0.01},
    )
    lengths = (1, 30, 3, 11, 50, 2, 7, 1, 19)
    generator = torch.Generator().manual_seed(2)
    return [
        Request(
            f"r{i}",
            tuple(torch.randint(tokenizer.vocabulary, (n,), generator=generator).tolist()),
            Sampling(seed=i // 2, max_tokens=5 + 4 * i, **ways[i % 4]),
        )
        for i, n in enumerate(lengths)
    ]


def _greedy_without_cache(model, prompt, count):
    text = list(prompt)
    for _ in range(count):
        n = len(text)
        hidden = model(torch.tensor(text), torch.arange(n), LocalContext((0, n)))
        text.append(int((hidden[-1] @ model.head_weight.T).argmax()))
    return tuple(text[len(prompt) :])


def _kept_caches():
    gc.collect()
    return sum(type(thing) is KeyValues for thing in gc.get_objects())


def test_greedy_is_greedy_without_a_cache(tokenizer):
    shape = small_shape(tokenizer.vocabulary, context=100)
    engine = Engine(small_model(shape, seed=3), shape, tokenizer)
    requests = [
        Request(str(i), tuple(range(9, 9 + n)), Sampling(temperature=0, max_tokens=70)) for i, n in enumerate((1, 30))
    ]
    for done, request in zip(sorted(engine.completions(requests), key=lambda c: c.id), requests, strict=True):
        expected = _greedy_without_cache(engine.model, request.prompt, len(done.tokens))
        assert done.tokens == expected
        assert len(set(done.tokens)) > 5
        assert len(done.tokens) == 70 or done.tokens[-1] in tokenizer.end_tokens


def test_greedy_of_transformers(tokenizer):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.vocabulary,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=96,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    theirs = transformers.LlamaForCausalLM(config).double().eval()
    shape = shape_from_hugging_face(config.to_dict())
    ours = build(shape, dtype=torch.float64).requires_grad_(False)
    state = theirs.state_dict()
    ours.load_state_dict({name: state[other] for name, other in hugging_face_names(shape).items()})
    ends = sorted(tokenizer.end_tokens)
    for length in (1, 17):
        prompt = torch.randint(tokenizer.vocabulary, (length,))
        found = theirs.generate(
            prompt[None],
            attention_mask=torch.ones(1, length),
            max_new_tokens=60,
            do_sample=False,
            eos_token_id=ends,
            pad_token_id=ends[0],
        )
        request = Request("r", tuple(prompt.tolist()), Sampling(temperature=0, max_tokens=60))
        (done,) = Engine(ours, shape, tokenizer).completions([request])
        assert list(done.tokens) == found[0, length:].tolist()


def test_a_batch_is_its_requests_one_by_one(engine, requests):
    together = {done.id: done for done in engine.completions(requests)}
    backwards = {done.id: done for done in engine.completions(requests[::-1])}
    assert len(together) == len(requests)
    for request in requests:
        (alone,) = Engine(engine.model, engine.shape, engine.tokenizer, max_batch=1).completions([request])
        for other in (together[request.id], backwards[request.id]):
            assert replace(other, logprobs=()) == replace(alone, logprobs=())
            assert other.logprobs == pytest.approx(alone.logprobs, rel=0, abs=1e-12)


def test_logprobs_are_the_models(engine, requests):
    for done in engine.completions(requests[:3]):
        prompt = next(r.prompt for r in requests if r.id == done.id)
        text = torch.tensor([*prompt, *done.tokens])
        hidden = engine.model(text, torch.arange(len(text)), LocalContext((0, len(text))))
        scores = (hidden @ engine.model.head_weight.T).log_softmax(1)
        expected = scores[len(prompt) - 1 : -1].gather(1, text[len(prompt) :, None]).squeeze(1)
        assert done.logprobs == pytest.approx(expected.tolist(), rel=0, abs=1e-12)


def test_seeds_and_ids_make_different_texts(engine):
    sampling = Sampling(temperature=1, max_tokens=15)
    prompt = (9, 10, 11)
    requests = [
        Request("a", prompt, sampling),
        Request("b", prompt, sampling),
        Request("c", prompt, sampling.model_copy(update={"seed": 1})),
    ]
    texts = {done.id: done.tokens for done in engine.completions(requests)}
    assert len(set(texts.values())) == 3
    again = {done.id: done.tokens for done in engine.completions(requests)}
    assert again == texts


def test_requests_are_read_when_there_is_room(engine):
    read = []

    def source():
        for i in range(7):
            read.append(i)
            yield Request(str(i), (9, 10), Sampling(temperature=0, max_tokens=2 + 3 * (i == 0)))

    seen = []
    for delta in engine.generate(source()):
        seen.append((delta.id, len(read)))
    assert seen[0] == ("0", 4)
    # The first step has the first four; three end with the second, and their places are filled before the third.
    assert [i for i, _ in seen[:8]] == ["0", "1", "2", "3"] * 2
    assert [i for i, _ in seen[8:12]] == ["0", "4", "5", "6"]
    assert {n for _, n in seen[:8]} == {4}
    assert seen[8][1] == 7


def test_caches_go_with_their_requests(engine):
    before = _kept_caches()
    layers = len(engine.shape.layers)
    ends = {"a": 3, "b": 6}
    deltas = engine.generate(
        [Request(name, (9, 10), Sampling(temperature=0, max_tokens=n)) for name, n in ends.items()]
    )
    for _ in range(3):
        next(deltas), next(deltas)
    next(deltas)
    assert _kept_caches() - before == layers  # only b's are left
    deltas.close()
    assert _kept_caches() == before


def test_closing_the_iterator_frees_what_runs(engine, requests):
    before = _kept_caches()
    deltas = engine.generate(requests)
    next(deltas)
    assert _kept_caches() - before == 4 * len(engine.shape.layers)
    deltas.close()
    assert _kept_caches() == before
    completions = engine.completions(requests)
    next(completions)
    assert _kept_caches() > before
    completions.close()
    assert _kept_caches() == before


def test_nothing_to_do(engine):
    assert list(engine.generate([])) == []


def test_a_prompt_as_long_as_the_context(engine):
    prompt = tuple(range(5, 5 + engine.shape.context))
    (done,) = engine.completions([Request("r", prompt, GREEDY)])
    assert (len(done.tokens), done.prompt_tokens) == (1, engine.shape.context)
    assert done.finish == ("stop" if done.tokens[0] in engine.tokenizer.end_tokens else "length")


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ((), "request r: prompt has 0 tokens; expected 1 to 64, the model's context"),
        ((9,) * 65, "request r: prompt has 65 tokens; expected 1 to 64, the model's context"),
        ((9, 300), "request r: prompt token is 300; expected an id from 0 to 299"),
        ((-1,), "request r: prompt token is -1; expected an id from 0 to 299"),
    ],
)
def test_wrong_requests(engine, prompt, sentence):
    with pytest.raises(UserError) as caught:
        list(engine.generate([Request("r", prompt, GREEDY)]))
    assert sentence in str(caught.value)


def test_two_running_requests_of_one_id(engine):
    request = Request("twin", (9, 10), GREEDY)
    with pytest.raises(UserError, match="request id is 'twin'; expected one that no running request has"):
        list(engine.generate([request, request]))
    one_at_a_time = Engine(engine.model, engine.shape, engine.tokenizer, max_batch=1)
    first, second = one_at_a_time.completions([request, request])
    assert first == second


def test_texts_and_conversations(engine):
    sampling = Sampling(temperature=1, seed=4, max_tokens=12)
    text = engine.complete("def voice", sampling)
    request = engine.request("complete", "def voice", sampling)
    assert request.prompt[0] == engine.tokenizer.begin
    assert engine.tokenizer.decode(request.prompt) == "def voice"
    assert text == "".join(delta.text for delta in engine.generate([request]))
    assert engine.complete("", GREEDY) == engine.complete("", GREEDY)
    messages = [{"role": "user", "content": "theme"}]
    deltas = list(engine.chat(messages, sampling))
    assert 1 <= len(deltas) <= 12
    asked = engine.tokenizer.decode(engine.request("chat", messages).prompt, skip_special=False)
    assert asked.endswith("theme<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")


def test_a_loaded_checkpoint_is_the_model(engine, tokenizer, tmp_path):
    small_checkpoint(tmp_path / "run", engine.model, engine.shape, tokenizer)
    loaded = stretto.Engine.load(tmp_path / "run", precision="float64", device="cpu", max_batch=2)
    assert loaded.max_batch == 2
    assert loaded.complete("theme", GREEDY) == engine.complete("theme", GREEDY)
    for (name, ours), theirs in zip(loaded.model.named_parameters(), engine.model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
        assert not ours.requires_grad


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_lower_precisions_generate(engine, tokenizer, tmp_path, precision, requests):
    path = small_checkpoint(tmp_path / "run", engine.model, engine.shape, tokenizer)
    loaded = Engine.load(path, precision=precision, device="cpu")
    assert loaded.model.head_weight.dtype == getattr(torch, precision)
    exact = {done.id: done for done in engine.completions(requests)}
    for done in loaded.completions(requests):
        # The first token's distribution is close; later ones may follow another choice.
        if done.tokens[0] == exact[done.id].tokens[0]:
            assert done.logprobs[0] == pytest.approx(exact[done.id].logprobs[0], abs=0.3)


def test_max_batch(engine):
    with pytest.raises(UserError, match="max_batch is 0; expected an integer of at least 1"):
        Engine(engine.model, engine.shape, engine.tokenizer, max_batch=0)
