"""Request: what somebody wants generated, and how tokens are chosen for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

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

    @model_validator(mode="after")
    def _stops_say_something(self) -> Sampling:
        if "" in self.stop:
            raise ValueError("stop holds an empty text; expected texts of at least one character.")
        return self


class Message(Value):
    """One turn of a conversation."""

    role: str
    """Who speaks, such as system, user or assistant."""
    content: str
    """What is said."""


class PromptLine(Sampling):
    """One line of a file of prompts: a text or a conversation, and any `Sampling` field that it wants its own way."""

    id: str | None = None
    """Names the result; by default the line's number."""
    prompt: str | None = None
    """A text to continue."""
    messages: tuple[Message, ...] | None = None
    """A conversation to answer."""

    @model_validator(mode="after")
    def _one_of_them(self) -> PromptLine:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("expected either prompt or messages, and not both.")
        if self.messages == ():
            raise ValueError("messages is empty; expected at least one.")
        if self.id is not None and any("\ud800" <= c <= "\udfff" for c in self.id):
            raise ValueError(f"id is {self.id!r}; expected Unicode without surrogates.")
        return self

    def sampling(self, defaults: Sampling) -> Sampling:
        """How to sample for this line: its own fields, and `defaults` for the rest."""
        own = {name: getattr(self, name) for name in self.model_fields_set & Sampling.model_fields.keys()}
        return defaults.model_copy(update=own)


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


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole of what was generated for one request.

    Attributes:
        id: the request's.
        text: what the deltas' texts join to.
        finish: as in `Delta`.
        prompt_tokens: ids in the prompt.
        tokens: the tokens drawn, an end token included.
        logprobs: of each of them, as in `Delta`.
    """

    id: str
    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
