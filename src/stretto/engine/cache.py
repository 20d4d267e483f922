"""A Context that remembers: what each request's earlier steps computed is kept, so a step computes only new rows.

A step is a flat batch in which every request has some rows: its whole prompt when it starts, one token later. The
requests see nothing of each other. Keys and values lie contiguous per request and layer, heads first, which is the
order in which one query reads them, and their room doubles when it is full: at most twice the bytes, and each is
copied about once. A linear mixer keeps one state per layer instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from stretto.models.context import AttentionSpec, LocalContext, ScanSpec
from stretto.ops.attention import continued_attention
from stretto.ops.linear_scan import continued_scan

_FIRST_TOKENS = 64


class KeyValues:
    """Keys and values of one request in one layer.

    Attributes:
        tokens: how many positions are kept.
    """

    def __init__(self, longest: int) -> None:
        self.tokens = 0
        self._longest = longest
        self._room: Tensor | None = None

    def append(
        self, key: Float[Tensor, "Q K D"], value: Float[Tensor, "Q K D"]
    ) -> tuple[Float[Tensor, "T K D"], Float[Tensor, "T K D"]]:
        """Keep Q more positions and return all T so far, as views that the next call may invalidate.

        Raises:
            ValueError: they would be more than `longest`.
        """
        total = self.tokens + key.shape[0]
        room = self._room_for(total, key)
        room[0, :, self.tokens : total] = key.transpose(0, 1)
        room[1, :, self.tokens : total] = value.transpose(0, 1)
        self.tokens = total
        return room[0, :, :total].transpose(0, 1), room[1, :, :total].transpose(0, 1)

    def _room_for(self, total: int, like: Tensor) -> Tensor:
        if total > self._longest:
            raise ValueError(f"{total} positions do not fit a cache of at most {self._longest}")
        room = self._room
        if room is None or room.shape[2] < total:
            wanted = max(total, _FIRST_TOKENS) if room is None else max(total, 2 * room.shape[2])
            larger = like.new_empty(2, like.shape[1], min(wanted, self._longest), like.shape[2])
            if room is not None:
                larger[:, :, : self.tokens] = room[:, :, : self.tokens]
            self._room = room = larger
        return room


class RequestCache:
    """Everything that one request keeps between steps; dropping it frees its memory.

    Attributes:
        keys_values: by layer.
        states: the recurrent state [H, D, E] of every linear mixer, by layer.
        carried: what layers gave to `Context.carry`, by name.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.keys_values: dict[int, KeyValues] = {}
        self.states: dict[int, Tensor] = {}
        self.carried: dict[str, Tensor] = {}


class CacheContext(LocalContext):
    """One step over several requests, each with its own cache.

    Args:
        caches: of the requests, in the order of their rows.
        rows: how many rows each request has in this step.
    """

    def __init__(self, caches: Sequence[RequestCache], rows: Sequence[int]) -> None:
        super().__init__(tuple(accumulate(rows, initial=0)))
        self.caches = tuple(caches)

    def attend(
        self,
        spec: AttentionSpec,
        query: Float[Tensor, "T H D"],
        key: Float[Tensor, "T K D"],
        value: Float[Tensor, "T K D"],
    ) -> Float[Tensor, "T H D"]:
        """Attention of each request's new rows over all its positions so far."""
        mixed: list[Tensor] = []
        for cache, (start, stop) in zip(self.caches, pairwise(self.offsets), strict=True):
            kept = cache.keys_values.setdefault(spec.layer, KeyValues(cache.longest))
            keys, values = kept.append(key[start:stop], value[start:stop])
            mixed.append(continued_attention(query[start:stop], keys, values, spec.scale))
        return torch.cat(mixed)

    def scan(
        self,
        spec: ScanSpec,
        query: Float[Tensor, "T H D"],
        key: Float[Tensor, "T H D"],
        value: Float[Tensor, "T H E"],
        decay: Float[Tensor, "T H"],
    ) -> Float[Tensor, "T H E"]:
        """The recurrence over each request's new rows, from the state that its earlier rows left."""
        zero = query.new_zeros(query.shape[1], query.shape[2], value.shape[2])
        before = torch.stack([cache.states.get(spec.layer, zero) for cache in self.caches])
        out, after = continued_scan(query, key, value, decay, self.offsets, before)
        for cache, state in zip(self.caches, after.unbind(0), strict=True):
            cache.states[spec.layer] = state.clone()
        return out

    def carry(self, name: str, value: Tensor) -> Tensor | None:
        """Keep `value` and return what the step before kept.

        A step has several requests, so `value` has one entry a request along its first dim, and so has what is
        returned: zeros for a request that kept nothing yet, and None when none of them did.

        Raises:
            ValueError: `value` has not one entry a request.
        """
        if value.shape[0] != len(self.caches):
            raise ValueError(f"{name} carries {value.shape[0]} entries; expected one for each of {len(self.caches)}")
        before = [cache.carried.get(name) for cache in self.caches]
        for cache, entry in zip(self.caches, value.unbind(0), strict=True):
            cache.carried[name] = entry.clone()
        if all(entry is None for entry in before):
            return None
        return torch.stack([torch.zeros_like(value[0]) if entry is None else entry for entry in before])
