"""What is wrong with a rank's list by itself is named: the pass, and what it should have been."""

import pytest

from stretto.schedule.complete import faults
from stretto.schedule.generate import generate
from stretto.schedule.graph import build
from stretto.spec.program import Compute, Memory, Program, State, Vocabulary
from stretto.spec.program_text import read_record


def _first(program):
    found = list(faults(build(program)))
    return found[0].sentence if found else ""


def _one_rank(text, stages=1, microbatches=1, **fields):
    records = tuple(read_record(word) for word in text.split())
    sizes = {"placement": ((0,) * stages,), "stages": stages, "microbatches": microbatches}
    return Program(ranks=(records,), **(sizes | fields))


@pytest.mark.parametrize(
    "text",
    [
        "F0.0 B0.0",
        "F0.0 I0.0 W0.0",
        "gather0 F0.0 B0.0 reduce0 update0",
        "F0.0 offload0.0 reload0.0 B0.0",
        "F0.0 recompute0.0 I0.0 W0.0",
        "F0.0 B0.0 update0^1",
    ],
)
def test_good_lists(text):
    assert _first(_one_rank(text)) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("F0.0", "B0.0 is missing: stage 0 (rank 0) never does it."),
        ("B0.0", "F0.0 is missing"),
        ("F0.0 I0.0", "W0.0 is missing"),
        ("F0.0 B0.0 W0.0", "W0.0 is a weight gradient that the whole backward B has made already"),
        ("B0.0 F0.0", "B0.0 comes before F0.0, whose result it needs"),
        ("F0.0 W0.0 I0.0", "W0.0 comes before I0.0"),
        ("F0.0 F0.0 B0.0", "F0.0 is computed twice"),
        ("F0.0 B0.0 gather0", "gather0 comes after a pass that reads the parameters"),
        ("F0.0 reduce0 B0.0", "reduce0 comes before the gradient B0.0"),
        ("F0.0 B0.0 update0 reduce0", "update0 comes before the stage's reduce"),
        ("F0.0 update0 B0.0", "update0 comes before the gradient B0.0"),
        ("F0.0 B0.0 update0", "update0 comes before the stage's reduce"),
        ("F0.0 B0.0 reduce0 reduce0", "reduce0 comes a second time"),
        ("F0.0 B0.0 reduce0 update0 update0", "update0 comes a second time"),
        ("F0.0 B0.0 reduce0 validate0", "validate0 comes before the stage's update"),
        ("F0.0 B0.0 reduce0 update0 rollback0", "rollback0 comes before the stage's validate"),
        ("update0^1 F0.0^1 B0.0^1", "update0^1 comes after 0 gradients of its stage"),
        ("F0.0 reload0.0 B0.0", "reload0.0 follows no other move of the same activations"),
        ("F0.0 offload0.0 B0.0", "offload0.0 is never followed by a reload"),
        ("offload0.0 F0.0 reload0.0 B0.0", "offload0.0 is not between the forward and the backward"),
        ("F0.0^1 B0.0^1", "F0.0^1 reads weight version 1; the newest then is 0"),
        ("F0.0 B0.0 update0^2", "update0^2 makes a version after 0; expected the next one"),
        ("E0 F0.0 B0.0", "E0 is a vocabulary pass, but the program has no barriers"),
    ],
)
def test_faults_of_one_rank(text, sentence):
    assert sentence in _first(_one_rank(text))


def test_stages_on_one_rank_follow_the_data():
    assert _first(_one_rank("F0.0 F1.0 B1.0 B0.0", stages=2)) == ""
    assert "F1.0 comes before F0.0" in _first(_one_rank("F1.0 F0.0 B1.0 B0.0", stages=2))
    assert "B0.0 comes before B1.0" in _first(_one_rank("F0.0 F1.0 B0.0 B1.0", stages=2))


def test_slices_follow_the_data():
    assert _first(_one_rank("F0.0 F0.0/1 B0.0/1 B0.0", slices=2)) == ""
    assert "F0.0/1 comes before F0.0" in _first(_one_rank("F0.0/1 F0.0 B0.0/1 B0.0", slices=2))
    assert "B0.0 comes before B0.0/1" in _first(_one_rank("F0.0 F0.0/1 B0.0 B0.0/1", slices=2))


def test_paths_are_kept_to():
    program = _one_rank("F0.0 F1.0 B1.0 B0.0", stages=2, paths=((0,),))
    assert "is not on the path of microbatch 0, [0]" in _first(program)
    assert _first(_one_rank("F1.0 F0.0 B0.0 B1.0", stages=2, paths=((1, 0),))) == ""


def test_inference_has_no_backward():
    assert _first(_one_rank("F0.0", forward_only=True)) == ""
    assert "B0.0 is a backward" in _first(_one_rank("F0.0 B0.0", forward_only=True))


def test_wrong_rank_and_wrong_copy():
    program = generate("1f1b", 2, 2)
    turned = Program(ranks=program.ranks, stages=2, microbatches=2, placement=((1, 0),))
    assert "F0.0 belongs on rank 1, which holds stage 0" in _first(turned)
    both = _one_rank("F0.0 B0.0 F0.0@1 B0.0@1", placement=((0,), (0,)))
    assert "microbatch 0 enters copies [0, 1] at stage 0; expected exactly one" in _first(both)
    none = _one_rank("F0.0 B0.0", microbatches=2, placement=((0,), (0,)))
    assert "microbatch 1 enters no copy" in _first(none)


def test_of_two_equal_passes_the_one_that_does_not_belong_is_named():
    program = generate("1f1b", 2, 2)
    ranks = (Compute("F", 1, 0), *program.ranks[0][1:]), program.ranks[1]
    assert "rank 0: F1.0 belongs on rank 1" in _first(
        Program(ranks=ranks, stages=2, microbatches=2, placement=((0, 1),))
    )


def test_every_rank_has_every_vocabulary_pass():
    program = generate("1f1b", 2, 2, vocabulary="one")
    ranks = tuple(tuple(r for r in rank if r != Vocabulary("T", 1)) for rank in program.ranks[:1])
    cut = Program(ranks=(*ranks, program.ranks[1]), stages=2, microbatches=2, placement=((0, 1),), barriers=1)
    assert "T1 is done on ranks [1]; expected once on every one of 2 ranks" in _first(cut)


def test_states_belong_to_the_rank_that_holds_the_stage():
    ranks = (Compute("F", 0, 0), Compute("B", 0, 0), State("reduce", 1)), (Compute("F", 1, 0), Compute("B", 1, 0))
    program = Program(ranks=ranks, stages=2, microbatches=1, placement=((0, 1),))
    assert "reduce1 belongs on rank 1" in _first(program)


def test_what_happens_to_one_stage_happens_to_all():
    text = "F0.0 F1.0 B1.0 B0.0 reduce0 update0"
    assert "reduce1 is missing: stage 1 (rank 0) never does it" in _first(_one_rank(text, stages=2))
    assert _first(_one_rank(text + " reduce1 update1", stages=2)) == ""
    both = _one_rank("F0.0 B0.0 F0.1@1 B0.1@1 reduce0 update0", microbatches=2, placement=((0,), (0,)))
    assert "reduce0@1 is missing" in _first(both)
    assert "update0 is in a program that is forward only" in _first(_one_rank("F0.0 update0", forward_only=True))


def test_both_halves_read_the_same_weights():
    text = "F0.0 B0.0 update0^1 F0.1^1 I0.1^1 W0.1"
    assert "W0.1 reads another weight version than its I, 1" in _first(_one_rank(text, microbatches=2))


def test_moves_of_different_slices_are_different():
    text = "F0.0 F0.0/1 offload0.0 reload0.0 B0.0/1 B0.0"
    assert _first(_one_rank(text, slices=2)) == ""
    assert read_record("offload0.0/1") == Memory("offload", 0, 0, 1)
