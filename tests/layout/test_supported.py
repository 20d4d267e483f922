"""What cannot run is refused with its field and the nearest layout that can."""

import pytest

from stretto.layout.supported import supported
from stretto.spec.layout import AXES, Layout


def test_replicates_are_supported():
    assert supported(Layout(data=6)) is None
    assert Layout(data=6).ranks == 6


@pytest.mark.parametrize("axis", [axis for axis in AXES if axis != "data"])
def test_other_axes_are_refused_by_name(axis):
    reason = supported(Layout(**{axis: 3}, data=2))
    assert f"layout.{axis} is 3; expected 1" in reason.sentence
    assert reason.nearest == Layout(data=6)
    assert supported(reason.nearest) is None
