"""Random numbers that depend on what they are for, never on what was drawn before.

A number is a hash of a seed, a name and a counter (counter-based generators: Salmon et al. 2011, Parallel Random
Numbers, with BLAKE2b in place of their ciphers). So the third request's length, or the noise of one pass, is the same
whatever else a simulation draws, and two schedules or policies are compared under the same luck. About a microsecond
a number.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()


class Source:
    """The random numbers of one name under one seed; each has a counter of 0 to 2^64 - 1."""

    def __init__(self, seed: int, name: str) -> None:
        self._start = blake2b(f"{seed}/{name}".encode(), digest_size=8)

    def uniform(self, counter: int) -> float:
        """A number above 0 and below 1, all equally likely."""
        state = self._start.copy()
        state.update(counter.to_bytes(8, "little"))
        return ((int.from_bytes(state.digest(), "little") >> 12) + 0.5) * 2.0**-52

    def normal(self, counter: int) -> float:
        """A number of the normal distribution with mean 0 and deviation 1."""
        return _NORMAL.inv_cdf(self.uniform(counter))

    def exponential(self, counter: int) -> float:
        """A number of the exponential distribution with mean 1."""
        return -math.log(self.uniform(counter))

    def factor(self, counter: int, noise: float) -> float:
        """A positive number with mean 1, log-normal, whose logarithm deviates by `noise`."""
        return math.exp(noise * self.normal(counter) - noise * noise / 2)
