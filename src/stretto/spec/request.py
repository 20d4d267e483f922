"""Request: what somebody wants generated, and how tokens are chosen for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from stretto.spec.value import Value


class Sampling(Value):
    """How the next token is drawn; the order is temperature, top-k, top-p, min-p.

    Draws are counter-based: the same seed, request and position give the same draw in any company.
    """

    temperature: float = Field(default=0.8, ge=0)
    """Divides the logits; 0 takes the most likely token."""
    top_k: int = Field(default=0, ge=0)
    """Keeps the k most likely tokens; 0 keeps all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Keeps the fewest most likely tokens whose probabilities sum to at least this (Holtzman et al. 2020)."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Keeps tokens at least this share as likely as the most likely one."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """What the draws are keyed by."""
    max_tokens: int = Field(default=256, ge=1)
    """The most tokens to generate."""
    stop: tuple[str, ...] = ()
    """Texts that end the generation; they are not part of the result."""


@dataclass(frozen=True, slots=True)
class Request:
    """One text to continue: prompt token ids and how to sample."""

    id: str
    prompt: tuple[int, ...]
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Delta:
    """What one step added to one request: new text, and why it ended, once it has.

    Attributes:
        id: the request's.
        token: the token drawn.
        logprob: its natural-log probability under the model, before temperature and filters.
        text: text that is now certain (a character may span tokens); empty while it is not.
        finish: ``stop`` (an end token or a stop text), ``length`` (max_tokens or the model's context) or None.
    """

    id: str
    token: int
    logprob: float
    text: str
    finish: Literal["stop", "length"] | None
