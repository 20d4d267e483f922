"""Draws follow the exact distribution, the filters keep what they say, and nothing but the key decides a draw."""

import math

import pytest
import torch

from stretto.engine.sampling import Draw, choose, distribution, uniform
from stretto.spec.errors import StrettoError
from stretto.spec.request import Sampling


def _logits(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def _kept(logits, **fields):
    return distribution(logits, Sampling(**{"temperature": 1, **fields})).nonzero().flatten().tolist()


def test_uniform_is_philox_of_its_key():
    # Fixed numbers: a change of them would change every sampled text of every user.
    found = [uniform(0, "a", 0), uniform(0, "a", 1), uniform(1, "a", 0), uniform(0, "b", 0), uniform(2**63 - 1, "", 9)]
    assert found == [
        0.6182922819036437,
        0.3050578665329243,
        0.6217940345272494,
        0.11806918662127464,
        0.6738689281844302,
    ]
    many = [uniform(3, "request", position) for position in range(4000)]
    assert all(0 <= u < 1 for u in many)
    assert abs(sum(many) / 4000 - 0.5) < 4 * (1 / 12 / 4000) ** 0.5


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 1.0},
        {"temperature": 0.5, "top_k": 4},
        {"temperature": 1.5, "top_p": 0.7},
        {"temperature": 1.0, "min_p": 0.05, "top_k": 6, "top_p": 0.99},
    ],
)
def test_draws_follow_the_distribution(fields):
    logits = torch.randn(8, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    sampling = Sampling(seed=11, **fields)
    count = 4000
    drawn = choose(logits.expand(count, 8), [Draw("x", position, sampling) for position in range(count)])
    seen = torch.bincount(torch.tensor([token for token, _ in drawn]), minlength=8)
    expected = distribution(logits, sampling) * count
    assert (seen[expected == 0] == 0).all()
    cells = expected > 0
    statistic = float(((seen - expected).square() / expected)[cells].sum())
    freedom = int(cells.sum()) - 1
    # Wilson and Hilferty's approximation of the chi-square quantile at one in ten thousand.
    bound = freedom * (1 - 2 / (9 * freedom) + 3.719 * (2 / (9 * freedom)) ** 0.5) ** 3
    assert statistic < bound
    assert all(logprob == float(logits.log_softmax(0)[token]) for token, logprob in drawn)


def test_company_and_order_change_nothing():
    rows = torch.randn(5, 40, dtype=torch.float64)
    draws = [Draw(name, 7, Sampling(seed=3, temperature=1)) for name in "abcde"]
    together = choose(rows, draws)
    backwards = choose(rows.flip(0), draws[::-1])[::-1]
    alone = [choose(rows[i : i + 1], [draws[i]])[0] for i in range(5)]
    assert together == backwards == alone


def test_temperature_zero_takes_the_first_of_the_likeliest():
    rows = torch.tensor([[0.0, 2.0, 1.0, 2.0], [-1.0, -1.0, -1.0, -1.0]])
    chosen = choose(rows, [Draw("a", 0, Sampling(temperature=0, top_k=2, top_p=0.1))] * 2)
    assert [token for token, _ in chosen] == [1, 0]
    assert chosen[1][1] == pytest.approx(math.log(1 / 4), abs=1e-15)
    assert distribution(rows[0], Sampling(temperature=0)).tolist() == [0, 1, 0, 0]


def test_top_k():
    logits = _logits(0.2, 0.3, 0.2, 0.2, 0.1)
    assert _kept(logits, top_k=1) == [1]
    assert _kept(logits, top_k=3) == [0, 1, 2]  # the lowest ids of those that are equally likely
    assert _kept(logits, top_k=99) == _kept(logits) == [0, 1, 2, 3, 4]
    assert distribution(logits, Sampling(temperature=1, top_k=1)).tolist() == [0, 1, 0, 0, 0]


def test_top_p():
    logits = _logits(0.125, 0.5, 0.25, 0.125)
    assert _kept(logits, top_p=1e-300) == [1]  # never nothing
    assert _kept(logits, top_p=0.5) == [1]
    assert _kept(logits, top_p=0.51) == [1, 2]
    assert _kept(logits, top_p=0.875) == [0, 1, 2]
    assert _kept(logits, top_p=1.0) == [0, 1, 2, 3]
    assert distribution(logits, Sampling(temperature=1, top_p=0.75)).tolist() == pytest.approx([0, 2 / 3, 1 / 3, 0])


def test_min_p():
    logits = _logits(0.125, 0.5, 0.25, 0.125)
    assert _kept(logits, min_p=1.0) == [1]
    assert _kept(logits, min_p=0.4) == [1, 2]
    assert _kept(logits, min_p=0.2) == [0, 1, 2, 3]
    assert _kept(_logits(0.5, 0.5), min_p=1.0) == [0, 1]


def test_filters_follow_each_other():
    logits = _logits(0.4, 0.3, 0.2, 0.1)
    # top-k leaves 4/7 and 3/7, of which top-p 0.55 keeps the first; of the whole it would keep two.
    assert _kept(logits, top_k=2, top_p=0.55) == [0]
    assert _kept(logits, top_p=0.55) == [0, 1]
    # Temperature comes first: squared, 0.16/0.3 is enough for top-p 0.5.
    assert _kept(logits, temperature=0.5, top_p=0.5) == [0]


@pytest.mark.parametrize("temperature", [5e-324, 1e-12, 1e300])
def test_extreme_temperatures(temperature):
    found = distribution(torch.tensor([1.0, 3.0, -math.inf, 2.0]), Sampling(temperature=temperature))
    expected = [0, 1, 0, 0] if temperature < 1 else [1 / 3, 1 / 3, 0, 1 / 3]
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_scores_that_are_no_numbers(bad, temperature):
    with pytest.raises(StrettoError, match="request a: the model's scores at position 4 are no finite numbers"):
        choose(torch.tensor([[0.0, bad, 1.0]]), [Draw("a", 4, Sampling(temperature=temperature))])


@pytest.mark.parametrize("spread", [0.01, 1.0, 5.0])
@pytest.mark.parametrize("fields", [{"top_k": 7}, {"top_p": 0.6}, {"top_p": 0.999}, {"top_k": 2500, "top_p": 0.9}])
def test_large_vocabularies_with_ties(spread, fields):
    # Rounded scores tie often, at the last kept token too; the definition is one stable sort of everything.
    generator = torch.Generator().manual_seed(1)
    logits = (torch.randn(3000, generator=generator, dtype=torch.float64) * 8).round() / 8 * spread
    found = distribution(logits, Sampling(temperature=1, **fields))
    whole = logits.softmax(0)
    order = whole.argsort(descending=True, stable=True)[: fields.get("top_k")]
    before = whole[order].cumsum(0) - whole[order]
    count = int((before < fields.get("top_p", 2.0) * whole[order].sum() * (1 - 1e-12)).sum())
    expected = torch.zeros_like(whole)
    expected[order[:count]] = whole[order[:count]]
    torch.testing.assert_close(found, expected / expected.sum(), rtol=1e-12, atol=0)
