"""Every kind by its name: what is asked for is there, and what cannot be done is refused in a sentence."""

import pytest

import stretto
from stretto.schedule.generate import generate
from stretto.schedule.memory import peaks
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError


def test_the_room_can_be_called():
    assert stretto.schedule("1f1b", 2, 3) == generate("1f1b", ranks=2, microbatches=3)


def test_options_arrive():
    assert generate("interleaved-1f1b", 2, 4, chunks=3).stages == 6
    assert generate("sliced-1f1b", 2, 4, slices=3).slices == 3
    assert generate("gpipe", 2, 4, slices=3).slices == 3
    assert generate("1f1b", 2, 4, vocabulary="two").barriers == 2
    assert generate("zb-v", 2, 4, chunks=2).stages == 4
    assert max(peaks(generate("zb-auto", 4, 8, memory_cap=5), PassCosts())) <= 5


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        ("zbv", {}, "kind is 'zbv'.*did you mean 'zb-v'"),
        ("1f1b", {"ranks": 0}, "ranks is 0; expected at least 1"),
        ("1f1b", {"microbatches": -2}, "microbatches is -2; expected at least 1"),
        ("1f1b", {"chunks": 2}, "chunks is 2; expected 1, which is what 1f1b has"),
        ("1f1b", {"slices": 0}, "slices is 0"),
        ("1f1b", {"ratio": 0.5}, "1f1b has no such choice; it is one of skip"),
        ("1f1b", {"exact": True}, "it is one of zb-auto"),
        ("1f1b", {"vocabulary": "three"}, "vocabulary is 'three'; expected one of one, two"),
        ("1f1b", {"memory_cap": 3}, "memory_cap is 3; expected at least 4, what 1f1b stores on rank 0"),
        ("1f1b", {"memory_cap": float("nan")}, "memory_cap is nan; expected more than 0"),
        ("1f1b", {"microbatches": 10**7}, "ranks x microbatches x chunks x slices is 40,000,000; expected at most"),
        ("pipedream", {"vocabulary": "one"}, "the program is asynchronous"),
        ("1f1b", {"memory_cap": 0}, "memory_cap is 0; expected more than 0"),
        ("dualpipe", {"ranks": 3}, "ranks is 3; expected an even number"),
        ("dualpipe", {"microbatches": 6}, "microbatches is 6; expected"),
        ("forward-only", {"vocabulary": "one"}, "forward"),
    ],
)
def test_what_cannot_be_done_is_refused(kind, options, sentence):
    sizes = {"ranks": 4, "microbatches": 8}
    with pytest.raises(UserError, match=sentence):
        generate(kind, **(sizes | options))
