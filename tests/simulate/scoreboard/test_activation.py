import pytest

from tests.simulate.scoreboard.published import one, scored


@pytest.mark.parametrize(
    ("metric", "most"),
    [("peak_activation_exact", 4), ("activation_microbatches", 3), ("peak_activation_asymptotic", 4)],
)
def test_published_formulas_are_exact_for_every_kind_that_exists_here(metric, most):
    scores = [s for s in scored(metric) if s.status != "excluded" and not s.reason.startswith("no kind called")]
    assert 1 <= len(scores) <= most
    assert [score for score in scores if score.status != "scored" or abs(score.difference) > 1e-9] == []


def test_vocabulary_passes_store_a_microbatch_a_barrier():
    plain, two, one_barrier, interlaced = scored("activation_microbatches")
    assert (plain.ours, one_barrier.ours, two.ours) == ((4, 6, 8, 16), (5, 7, 9, 17), (6, 8, 10, 18))
    assert interlaced.status == "excluded"


def test_a_wrong_formula_is_not_met():
    score = one(metric="peak_activation_exact", p="p", m="m", value="p+1")
    assert (score.met, score.difference, score.expected, score.ours) == (False, -1, (5, 7, 9, 17), (4, 6, 8, 16))


def test_sizes_that_are_given_are_used():
    score = one(metric="peak_activation_exact", p="4", m="2", value="p-2")
    assert (score.met, score.ours) == (True, (2,))


@pytest.mark.parametrize(("metric", "value"), [("peak_activation_exact", "q"), ("peak_activation_asymptotic", "M+p")])
def test_a_formula_that_is_none_says_so(metric, value):
    assert one(metric=metric, p="p", m="m", value=value).reason.startswith(f"the formula is {value!r}; expected")


def test_a_searched_schedule_has_no_peak_of_its_own():
    assert one(metric="peak_activation_exact", schedule="ZB-1p").reason == "a search stores what its cap allows"
