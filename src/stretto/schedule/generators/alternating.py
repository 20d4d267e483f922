"""One forward, one backward: the order that most schedules share once their sequences of passes are chosen.

A rank first does some forwards (the warm-up), then a forward and a backward in turn, then the backwards that are left
(Narayanan et al. 2019, PipeDream, section 3.2). What follows a backward, such as a deferred weight gradient
(Qi et al. 2023, Zero Bubble) or an update, comes `lag` backwards later, and what is left of it at the end.
Time is linear in the records.
"""

from __future__ import annotations

from collections.abc import Sequence

from stretto.spec.program import Record


def alternating(
    forwards: Sequence[Record],
    backwards: Sequence[Record],
    warmup: int,
    follow: Sequence[Record] = (),
    lag: int = 0,
) -> tuple[Record, ...]:
    """The records of one rank.

    Args:
        forwards: forward passes in order.
        backwards: as many backward passes (whole, or input gradients) in order.
        warmup: how many forwards come before the first backward's own; all of them where there are fewer.
        follow: what comes after each backward, as many records as backwards, or nothing.
        lag: how many backwards later it comes.
    """
    count = len(backwards)
    warmup = min(warmup, count)
    ahead = forwards[warmup:]
    records = list(forwards[:warmup])
    if not follow:
        records += [record for both in zip(ahead, backwards, strict=False) for record in both]
        return (*records, *backwards[count - warmup :])
    for step, backward in enumerate(backwards):
        if step < count - warmup:
            records.append(ahead[step])
        records.append(backward)
        if step >= lag:
            records.append(follow[step - lag])
    return (*records, *follow[max(count - lag, 0) :])
