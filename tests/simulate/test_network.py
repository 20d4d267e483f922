"""Networks: what they refuse, and which messages share a wire."""

import pytest

from stretto.simulate.network import Network
from stretto.spec.costs import PassCosts
from stretto.spec.errors import UserError
from stretto.spec.program import Compute
from stretto.spec.value import load
from tests.simulate.programs import gpipe


@pytest.mark.parametrize("fields", [{"bandwidth": 2.0}, {"message_bytes": 3.0}, {"message_bytes": [0.0, 3.0]}])
def test_bandwidth_and_sizes_go_together(fields):
    with pytest.raises(UserError, match="expected both or neither"):
        load(Network, fields, "network")


@pytest.mark.parametrize("fields", [{"bandwidth": 0}, {"latency": -1}, {"shared": "wire"}, {"contention": "some"}])
def test_wrong_values_are_refused(fields):
    with pytest.raises(UserError, match=next(iter(fields))):
        load(Network, fields, "network")


def test_its_latency_takes_the_place_of_the_costs():
    costs = PassCosts(forward=3.0)
    assert Network(latency=2.0).hops(costs) == PassCosts(forward=3.0, transfer=2.0)
    assert Network().hops(costs) is costs
    assert Network(latency=2.0).hops(PassCosts(transfer=2.0)).transfer == 2.0
    with pytest.raises(UserError, match=r"costs\.transfer is 1\.0; expected 0 where the network has a latency"):
        Network(latency=2.0).hops(PassCosts(transfer=1.0))


def test_sizes_belong_to_boundaries_in_both_directions():
    size = Network(bandwidth=1.0, message_bytes=(5.0, 7.0)).sizes(gpipe(3, 1))
    assert [size(Compute("F", 0, 0), 1), size(Compute("F", 1, 0), 2)] == [5, 7]
    assert [size(Compute("B", 1, 0), 0), size(Compute("I", 2, 0), 1)] == [5, 7]
    with pytest.raises(UserError, match=r"network\.message_bytes is .*; expected one number, or 2 of them"):
        Network(bandwidth=1.0, message_bytes=(5.0,)).sizes(gpipe(3, 1))


def test_wires():
    ends = [(0, 1), (1, 0), (1, 2)]
    for shared, wires in (("pair", 3), ("rank", 2), ("all", 1)):
        network = Network(shared=shared)
        assert len({network.wire(*end) for end in ends}) == wires
