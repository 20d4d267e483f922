"""A conversation that outgrows the model's context loses its oldest turns, and whoever leads it is told how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

M = TypeVar("M", bound=Mapping[str, Any])


def fit(messages: Sequence[M], count: Callable[[Sequence[M]], int], limit_tokens: int) -> tuple[list[M], int]:
    """Drop oldest turns until a conversation fits.

    A system message at the start stays, what remains starts with the user, and the last message is never dropped: if
    it does not fit on its own, the result still exceeds the limit.

    Args:
        messages: the conversation, the user's new message last.
        count: the tokens of a conversation as a prompt.
        limit_tokens: the most that the prompt may have.

    Returns:
        What is left, and how many messages were dropped.
    """
    first = 1 if messages[0]["role"] == "system" else 0
    kept = list(messages)
    while count(kept) > limit_tokens and len(kept) > first + 1:
        del kept[first]
        while len(kept) > first + 1 and kept[first]["role"] != "user":
            del kept[first]
    return kept, len(messages) - len(kept)
