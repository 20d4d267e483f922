from itertools import combinations

import pytest

from stretto.report.palette import CAUSES, HUES, colour, ink, shade_of, shades
from stretto.report.timeline import KINDS

# How people without long- or middle-wave cones see linear RGB (Vienot, Brettel and Mollon 1999).
PROTAN = ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1))
DEUTAN = ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1))


def linear(text):
    values = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]


def luminance(text):
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear(text), strict=True))


def seen(text, eyes):
    mixed = (sum(a * b for a, b in zip(row, linear(text), strict=True)) for row in eyes)
    return [max(v, 0) ** (1 / 2.2) for v in mixed]


def test_every_kind_and_cause_has_a_colour():
    assert set(HUES) == set(KINDS)
    assert len(CAUSES) == 5


@pytest.mark.parametrize("eyes", [PROTAN, DEUTAN])
def test_passes_differ_for_the_colour_blind(eyes):
    for one, other in combinations("FBIW", 2):
        apart = [abs(a - b) for a, b in zip(seen(HUES[one], eyes), seen(HUES[other], eyes), strict=True)]
        assert max(apart) > 0.1, (one, other)


@pytest.mark.parametrize("chunks", [1, 2, 3, 9])
def test_writing_is_readable_on_every_shade(chunks):
    for kind in KINDS:
        for shade in shades(chunks):
            ground = colour(kind, shade, chunks)
            dark, light = sorted((luminance(ground), luminance(ink(ground))))
            assert (light + 0.05) / (dark + 0.05) > 4, (kind, shade)


def test_shades_of_chunks_differ_until_they_begin_again():
    assert [shade_of(chunk, 6) for chunk in range(6)] == [0, 1, 2, 3, 0, 1]
    assert len({colour("F", shade, 4) for shade in shades(4)}) == 4
    assert colour("F", 0, 4) == HUES["F"]
