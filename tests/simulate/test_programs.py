"""Simulating programs: the kernel against the closed timing, hand-computed contention, noise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.schedule.timing import timing
from stretto.simulate.network import Network
from stretto.simulate.programs import simulate
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute, Memory, State
from tests.simulate.programs import all_programs, costs_for, gpipe, programs, with_vocabulary, written


def times(simulation):
    return {(rank, p.record): (p.start, p.end) for rank, pieces in enumerate(simulation.pieces) for p in pieces}


@settings(max_examples=60)
@given(data=st.data(), program=programs())
def test_the_kernel_gives_exactly_the_times_of_the_closed_timing(data, program):
    costs = data.draw(costs_for(program))
    expected = timing(program, costs)
    network = Network(latency=costs.transfer, contention=data.draw(st.sampled_from(["none", "fair", "serial"])))
    silent = PassCosts.model_validate({**costs.model_dump(), "transfer": 0.0})
    for played in (simulate(program, silent, network=network), simulate(program, costs, network=Network())):
        assert played.timing.start == expected.start
        assert played.timing.end == expected.end
        assert played.timing.cause == expected.cause
        assert sorted(played.links) == sorted(simulate(program, costs).links)


@settings(max_examples=30)
@given(data=st.data(), program=programs())
def test_a_message_takes_its_size_over_the_bandwidth_and_longer_where_it_shares(data, program):
    costs = PassCosts(forward=1.0, backward=2.0)
    wires = {"bandwidth": 4.0, "message_bytes": 3.0, "shared": data.draw(st.sampled_from(["pair", "rank", "all"]))}
    free = simulate(program, costs, network=Network(**wires, contention="none"))
    hop = PassCosts(forward=1.0, backward=2.0, transfer=3.0 / 4.0 / program.slices)
    assert free.timing.end == pytest.approx(timing(program, hop).end)
    for contention in ("fair", "serial"):
        shared = simulate(program, costs, network=Network(**wires, contention=contention))
        assert len(shared.links) == len(free.links) == free.transfers
        for _, _, _, start, end in shared.links:
            assert end - start >= 3.0 / 4.0 / program.slices - 1e-9


def test_two_messages_of_a_rank_share_its_wire():
    """Rank 0 sends two forwards of 4 bytes, the second when 2 bytes of the first are still to go.

    Alone a message takes 2 (2 bytes a unit). F0.0 ends at 1, F0.1 at 2. Fair: at rate 1 from 2 on, the first arrives
    at 4, then the second has 2 left, which take 1: 5. In turns: 3 and 5.
    """
    program = written("F0.0 F0.1", "F1.0 F1.1", microbatches=2)
    costs = PassCosts(forward=1.0)
    links = {"fair": (4.0, 5.0), "serial": (3.0, 5.0), "none": (3.0, 4.0)}
    for contention, (first, second) in links.items():
        network = Network(bandwidth=2.0, message_bytes=4.0, contention=contention)
        simulation = simulate(program, costs, network=network)
        assert simulation.links == ((0, 1, "F0.0", 1.0, first), (0, 1, "F0.1", 2.0, second))
        assert [p.start for p in simulation.pieces[1]] == [first, max(second, first + 1)]


def test_opposite_directions_share_only_where_the_wire_is_one():
    """F0.1 and B1.0 are under way together: each has its own wire, unless there is one wire for all."""
    program = written("F0.0 F0.1 B0.0 B0.1", "F1.0 B1.0 F1.1 B1.1", microbatches=2)
    costs = PassCosts(forward=(2.0, 1.0), backward=(1.0, 1.0))

    def arrival(shared):
        network = Network(bandwidth=1.0, message_bytes=1.0, shared=shared)
        return {what: end for _, _, what, _, end in simulate(program, costs, network=network).links}

    # F1.0 starts at 3, B1.0 ends at 5; F0.1 ends at 4 and arrives at 5: not together at all.
    assert arrival("rank")["B1.0"] == arrival("all")["B1.0"] == 6.0
    slow = PassCosts(forward=(2.5, 1.0), backward=(1.0, 0.75))

    # Now F0.1 is sent at 5 and B1.0 at 5.25: alone each takes 1; on one wire 0.25 alone, then at half the rate, so
    # F0.1 needs until 5.25 + 1.5, and B1.0, with 0.75 of its byte, 0.25 more.
    def late(shared):
        network = Network(bandwidth=1.0, message_bytes=1.0, shared=shared)
        return {what: end for _, _, what, _, end in simulate(program, slow, network=network).links}

    assert (late("rank")["F0.1"], late("rank")["B1.0"]) == (6.0, 6.25)
    assert (late("all")["F0.1"], late("all")["B1.0"]) == (6.75, 7.0)


def test_transfers_overlap_with_computing():
    """A message takes as long as a pass: the sender goes on, so only the first one delays the receiver."""
    program = written("F0.0 F0.1 F0.2 F0.3", "F1.0 F1.1 F1.2 F1.3", microbatches=4)
    network = Network(bandwidth=1.0, message_bytes=1.0)
    simulation = simulate(program, PassCosts(), network=network)
    assert [p.start for p in simulation.pieces[0]] == [0, 1, 2, 3]
    assert [p.start for p in simulation.pieces[1]] == [2, 3, 4, 5]
    assert [p.idle for p in simulation.pieces[1]] == [2, 0, 0, 0]


def test_slices_have_their_part_of_the_bytes():
    program = written("F0.0 F0.0/1", "F1.0 F1.0/1", microbatches=1)
    program = type(program)(
        ranks=program.ranks, stages=2, microbatches=1, placement=program.placement, slices=2, forward_only=True
    )
    links = simulate(program, PassCosts(), network=Network(bandwidth=1.0, message_bytes=4.0)).links
    # 2 bytes each: the first alone from 0.5 to 1, then both at half the rate until it is over, the second's rest alone.
    assert links == ((0, 1, "F0.0", 0.5, 4.0), (0, 1, "F0.0/1", 1.0, 4.5))


@given(seed=st.integers(0, 9), program=programs())
@settings(max_examples=20)
def test_noise_is_the_same_for_a_seed_and_hits_passes_only(seed, program):
    costs = PassCosts(gather=0.5, offload=0.25, update=0.5)
    one, two = (simulate(program, costs, jitter=0.3, seed=seed) for _ in range(2))
    assert one.timing.end == two.timing.end
    assert one.timing.end != simulate(program, costs, jitter=0.3, seed=seed + 1).timing.end
    quiet = times(simulate(program, costs))
    for (rank, record), (start, end) in times(one).items():
        before = quiet[rank, record][1] - quiet[rank, record][0]
        if isinstance(record, Memory | State) and record.kind != "recompute":
            assert end - start == pytest.approx(before)
        elif isinstance(record, Compute):
            assert end - start != before


def test_a_pass_has_the_same_luck_in_every_program():
    first = times(simulate(gpipe(3, 4), PassCosts(), jitter=0.2, seed=3))
    other = gpipe(3, 4)
    turned = type(other)(
        ranks=tuple(r[:4] + r[:3:-1] for r in other.ranks), stages=3, microbatches=4, placement=other.placement
    )
    second = times(simulate(turned, PassCosts(), jitter=0.2, seed=3))
    assert {k: pytest.approx(b - a) for k, (a, b) in first.items()} == {k: b - a for k, (a, b) in second.items()}


def test_noise_has_mean_one():
    ends = [simulate(gpipe(1, 100), PassCosts(), jitter=0.2, seed=s).makespan for s in range(5)]
    assert sum(ends) / 5 == pytest.approx(300, rel=0.02)
    assert len(set(ends)) == 5


def test_a_vocabulary_pass_has_other_luck_on_every_rank():
    found = times(simulate(with_vocabulary(1), PassCosts(), jitter=0.2))
    lasts = {b - a for (_, record), (a, b) in found.items() if record.kind == "S"}
    assert len(lasts) == 4


@pytest.mark.parametrize("jitter", [-0.1, float("nan"), float("inf")])
def test_wrong_noise_is_refused(jitter):
    with pytest.raises(UserError, match="jitter is"):
        simulate(gpipe(2, 2), PassCosts(), jitter=jitter)


@pytest.mark.parametrize("network", [None, Network(latency=1.0)])
def test_a_program_that_never_finishes_is_refused(network):
    program = written("F0.0 B0.0 F0.1 B0.1", "F1.1 F1.0 B1.0 B1.1", microbatches=2)
    with pytest.raises(UserError, match="never finishes"):
        simulate(program, PassCosts(), network=network)


def test_there_are_programs_of_every_kind_of_record():
    kinds = {type(record).__name__ for p in all_programs() for records in p.ranks for record in records}
    assert kinds == {"Compute", "Pair", "Vocabulary", "Memory", "State"}
