"""Measured times of a step, from the passes' times that were measured on every rank in the same run.

Messages take no time here: they hide under passes. With the vocabulary shared out, the note gives each rank's times of
S and T together, and of the input embedding's two passes. By FLOPs S is two thirds of S + T with one barrier (logits,
and the hidden state's gradient) and one third with two (Yeung et al. 2024, Vocabulary Parallelism).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from stretto.simulate.scoreboard.bubble import pass_costs
from stretto.simulate.scoreboard.names import Name, named
from stretto.simulate.scoreboard.prediction import NotPredicted, Prediction, published, run, sizes, with_fields
from stretto.simulate.scoreboard.rows import Row
from stretto.spec.costs import PassCosts

_IN_MICROSECONDS: Final = MappingProxyType({"us": 1.0, "ms": 1e3, "s": 1e6})
_OUTPUT_SHARE: Final = MappingProxyType({"one": 2 / 3, "two": 1 / 3})
"""S's share of S and T together."""
_VECTOR = r"[^:;]*: *([0-9.]+(?:\|[0-9.]+)*)"


def iteration_time(row: Row, seconds: float | None) -> Prediction:
    """Predict a row of iteration_time: the makespan under the times of every rank.

    Args:
        row: the row.
        seconds: unused, for nothing is searched.

    Raises:
        UserError: why it is not predicted.
    """
    del seconds
    name = named(row.schedule)
    if row.unit not in _IN_MICROSECONDS:
        raise NotPredicted(f"the unit of the time is {row.unit!r}, none of {', '.join(_IN_MICROSECONDS)}")
    if name.kind == "search":
        raise NotPredicted("the time of a searched schedule depends on what the search was for")
    ranks, microbatches = sizes(row, name)
    costs = _with_vocabulary(pass_costs(row, name), row, name) if name.vocabulary else pass_costs(row, name)
    time = run(name, ranks, microbatches, costs).makespan / _IN_MICROSECONDS[row.unit]
    expected = published(row)
    allowed = (0.05 if name.vocabulary else 0.02) * expected
    return Prediction((expected,), (time,), f"makespan of {name.text}", -allowed, allowed, timed=True)


def _with_vocabulary(costs: PassCosts, row: Row, name: Name) -> PassCosts:
    both, embed, back = (_told(row, text) for text in (r"output-layer S\+T", "input fwd", "input bwd"))
    share = _OUTPUT_SHARE[name.vocabulary or "one"]
    return with_fields(
        costs,
        output_forward=tuple(share * x for x in both),
        output_grad=tuple((1 - share) * x for x in both),
        embed_forward=embed,
        embed_grad=back,
    )


def _told(row: Row, text: str) -> tuple[float, ...]:
    found = re.search(text + _VECTOR, row.note)
    if not found:
        raise NotPredicted(f"the row's note gives no times of {text.replace(chr(92), '')}")
    try:
        return tuple(map(float, found.group(1).split("|")))
    except ValueError:
        raise NotPredicted(f"the row's note gives times that are no numbers: {found.group(1)}") from None
