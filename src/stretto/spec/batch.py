"""PackedBatch: documents laid end to end, with no batch axis.

Rows from ``offsets[-1]`` on belong to no document: they carry no loss and enter no count. A label is the token that
follows (shifted before any cut), or -1 where no loss is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_LABEL = -1


@dataclass(frozen=True, slots=True, eq=False)
class PackedBatch:
    """A flat batch; every array is int32.

    Attributes:
        tokens: [T] token ids.
        positions: [T] position of each token in its document.
        labels: [T] the token to predict at each position, or `NO_LABEL`.
        offsets: [N+1] where each of the N documents starts, and where the last one ends.
    """

    tokens: NDArray[np.int32]
    positions: NDArray[np.int32]
    labels: NDArray[np.int32]
    offsets: NDArray[np.int32]

    @property
    def labelled_tokens(self) -> int:
        """How many positions carry loss."""
        return int((self.labels != NO_LABEL).sum())

    @property
    def document_tokens(self) -> int:
        """How many positions belong to a document."""
        return int(self.offsets[-1])


def join(batches: list[PackedBatch]) -> PackedBatch:
    """Lay the documents of `batches` end to end; rows that belong to no document move to the end."""
    import numpy as np

    owned = [b.document_tokens for b in batches]
    starts = np.cumsum([0, *owned])
    offsets = [b.offsets[:-1] + start for b, start in zip(batches, starts[:-1], strict=True)]

    def laid(arrays: list[NDArray[np.int32]]) -> NDArray[np.int32]:
        pairs = list(zip(arrays, owned, strict=True))
        return np.concatenate([*(a[:n] for a, n in pairs), *(a[n:] for a, n in pairs if n < len(a))])

    return PackedBatch(
        tokens=laid([b.tokens for b in batches]),
        positions=laid([b.positions for b in batches]),
        labels=laid([b.labels for b in batches]),
        offsets=np.append(np.concatenate(offsets), starts[-1]).astype(np.int32),
    )
