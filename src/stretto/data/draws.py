"""Random orders that are a function of what they are for, so that any of them can be made without the ones before.

Counter-based: Philox4x64 (Salmon et al. 2011) keyed by a hash of purpose, seed and numbers. The order comes from
sorting raw 64-bit draws, whose values numpy keeps from release to release (unlike those of `Generator.permutation`).
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Purpose: TypeAlias = Literal["documents", "rows", "mixture"]


def order(count: int, purpose: Purpose, *key: int) -> NDArray[np.int64]:
    """A permutation [count] of 0 to count - 1, decided by `purpose` and `key` alone."""
    name = f"{purpose} {' '.join(map(str, key))}".encode()
    draws = np.random.Philox(key=int.from_bytes(hashlib.sha256(name).digest()[:16], "big"))
    return np.argsort(draws.random_raw(count), kind="stable")
