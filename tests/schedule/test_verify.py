"""Verification: every kind at every size is good; every kind of damage is found, and said in words."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.generate import generate
from stretto.schedule.registry import KINDS
from stretto.schedule.verify import verified, verify
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.lowered import Lowered
from stretto.spec.program import Compute, Pair, Program, passes_of

NO_VOCABULARY = {"forward-only", "pipedream", "pipelined-backprop"}


def _changed(program, ranks=None, **fields):
    names = ("stages", "microbatches", "placement", "slices", "paths", "barriers", "forward_only", "kind")
    kept = {name: getattr(program, name) for name in names}
    return Program(ranks=tuple(map(tuple, ranks or program.ranks)), **(kept | fields))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    half=st.integers(1, 3),
    units=st.integers(1, 3),
    slices=st.integers(1, 3),
    vocabulary=st.sampled_from([None, "one", "two"]),
)
def test_every_combination_that_is_offered_verifies(kind, half, units, slices, vocabulary):
    ranks = 2 * half
    sizes = {"slices": slices, "vocabulary": vocabulary}
    if vocabulary and kind in NO_VOCABULARY:
        with pytest.raises(UserError, match="vocabular"):
            generate(kind, ranks, 2 * ranks * units, **sizes)
        return
    program = generate(kind, ranks, 2 * ranks * units, **sizes)
    found = verify(program)
    assert found.findings == {}
    assert max(found.peaks) > 0 or program.forward_only


def _records(program):
    return [list(rank) for rank in program.ranks]


def _drop(program, draw):
    ranks = _records(program)
    rank = draw.choice(ranks)
    del rank[draw.randrange(len(rank))]
    return _changed(program, ranks)


def _repeat(program, draw):
    ranks = _records(program)
    rank = draw.choice(ranks)
    rank.append(draw.choice(rank))
    return _changed(program, ranks)


def _backward_first(program, draw):
    ranks = _records(program)
    rank = draw.choice(ranks)
    first = next(i for i, r in enumerate(rank) if isinstance(r, Compute) and r.kind in "BI")
    rank.insert(0, rank.pop(first))
    return _changed(program, ranks)


def _move_to_another_rank(program, draw):
    ranks = _records(program)
    taken = ranks[0].pop(draw.randrange(len(ranks[0])))
    ranks[1].append(taken)
    return _changed(program, ranks)


def _turn_the_ranks(program, draw):
    ranks = _records(program)
    return _changed(program, ranks[1:] + ranks[:1])


def _wrong_map(program, draw):
    rows = [list(row) for row in program.placement]
    rows[0][0], rows[0][1] = rows[0][1], rows[0][0]
    return _changed(program, placement=tuple(map(tuple, rows)))


def _another_microbatch(program, draw):
    ranks = _records(program)
    rank = draw.choice(ranks)
    at = next(i for i, r in enumerate(rank) if isinstance(r, Compute) and r.kind == "F")
    rank[at] = rank[at]._replace(microbatch=(rank[at].microbatch + 1) % program.microbatches)
    return _changed(program, ranks)


def _another_stage(program, draw):
    ranks = _records(program)
    rank = draw.choice(ranks)
    at = next(i for i, r in enumerate(rank) if isinstance(r, Compute) and r.kind == "F")
    rank[at] = rank[at]._replace(stage=(rank[at].stage + 1) % program.stages)
    return _changed(program, ranks)


def _stage_that_is_not_there(program, draw):
    ranks = _records(program)
    at = next(i for i, r in enumerate(ranks[0]) if isinstance(r, Compute))
    ranks[0][at] = ranks[0][at]._replace(stage=program.stages)
    return _changed(program, ranks)


def _wrong_copy(program, draw):
    ranks = _records(program)
    at = next(i for i, r in enumerate(ranks[0]) if isinstance(r, Compute))
    ranks[0][at] = ranks[0][at]._replace(copy=1 - ranks[0][at].copy)
    return _changed(program, ranks)


def _whole_and_half(program, draw):
    ranks = _records(program)
    at = next(i for i, r in enumerate(ranks[0]) if isinstance(r, Compute) and r.kind in "BI")
    other = "I" if ranks[0][at].kind == "B" else "B"
    ranks[0][at] = ranks[0][at]._replace(kind=other)
    return _changed(program, ranks)


def _later_weights(program, draw):
    ranks = _records(program)
    at = next(i for i, r in enumerate(ranks[0]) if isinstance(r, Compute))
    ranks[0][at] = ranks[0][at]._replace(version=99)
    return _changed(program, ranks)


def _no_backward_at_all(program, draw):
    keep = [[r for r in rank if all(p.kind == "F" for p in passes_of(r))] for rank in program.ranks]
    return _changed(program, keep)


def _all_ranks_reversed(program, draw):
    return _changed(program, [rank[::-1] for rank in program.ranks])


def _ring(program):
    """Rank 0 wants a microbatch back before it sends the last one, which the last rank wants first."""
    ranks, last = _records(program), program.microbatches - 1
    back = next(i for i, r in enumerate(ranks[0]) if r.kind in "BI" and r.stage == 0)
    moved = ranks[0].pop(back)
    ranks[0].insert(next(i for i, r in enumerate(ranks[0]) if r[:3] == ("F", 0, last)), moved)
    end = ranks[program.placement[0][-1]]
    moved = end.pop(next(i for i, r in enumerate(end) if r[:3] == ("F", program.stages - 1, last)))
    end.insert(next(i for i, r in enumerate(end) if r.kind in "BI" and r.stage == program.stages - 1), moved)
    return _changed(program, ranks)


MUTATIONS = [
    _drop,
    _repeat,
    _backward_first,
    _move_to_another_rank,
    _turn_the_ranks,
    _wrong_map,
    _another_microbatch,
    _another_stage,
    _stage_that_is_not_there,
    _wrong_copy,
    _whole_and_half,
    _later_weights,
    _no_backward_at_all,
    _all_ranks_reversed,
]


@pytest.mark.parametrize("mutate", MUTATIONS)
@pytest.mark.parametrize("kind", ["gpipe", "1f1b", "zb-h1", "zb-v", "interleaved-1f1b", "chimera", "sliced-1f1b"])
def test_damage_is_found(mutate, kind):
    for seed in range(3):
        program = generate(kind, 4, 8)
        assert verify(program).good
        broken = mutate(program, random.Random(seed))
        found = verify(broken)
        assert not found.good
        sentence = next(iter(found.findings.values())).sentence
        assert sentence.endswith(".")
        assert len(sentence) < 600


def test_damaged_pairs_are_found():
    program = generate("dualpipe", 4, 8)
    ranks = _records(program)
    at = next(i for i, r in enumerate(ranks[0]) if isinstance(r, Pair))
    pair = ranks[0][at]
    ranks[0][at] = pair._replace(backward=pair.backward._replace(microbatch=0))
    assert not verify(_changed(program, ranks)).good


@pytest.mark.parametrize("kind", ["gpipe", "1f1b", "interleaved-1f1b"])
def test_a_ring_of_ranks_is_told_with_its_ranks_alone(kind):
    found = verify(_ring(generate(kind, 4, 8))).order
    assert 2 <= len(found.steps) <= 4
    on = {step.rank: step.on for step in found.steps}
    assert set(on.values()) == set(on)
    for step in found.steps:
        assert step.step in found.sentence


def test_memory_over_the_cap_is_found():
    program = generate("1f1b", 4, 8)
    assert verify(program, memory_cap=4).good
    found = verify(program, memory_cap=[4, 3, 1, 1])
    assert found.memory.sentence == "rank 2 stores 2 microbatches at once; the cap is 1."
    with pytest.raises(UserError, match=r"memory_cap is \[1, 2\]; expected one number, or 4 of them"):
        verify(program, memory_cap=[1, 2])


def test_a_lowered_program_is_judged_as_written():
    lowered = verify(generate("1f1b", 2, 4)).lowered
    assert verify(lowered).good
    cut = Lowered(program=lowered.program, ranks=(lowered.ranks[0], lowered.ranks[1][1:]))
    assert set(verify(cut).findings) == {"buffered", "rendezvous"}


def test_verified_raises_in_words():
    assert verified(generate("1f1b", 2, 4), PassCosts()).kind == "1f1b"
    with pytest.raises(UserError, match=r"the program is wrong \(order\): B0.0 is missing"):
        verified(_no_backward_at_all(generate("1f1b", 2, 4), None))
