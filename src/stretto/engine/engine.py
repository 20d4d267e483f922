"""The engine: continuous batching (Yu et al. 2022) over one model with a key/value cache.

Every step is one pass over a flat batch: requests that just found a place bring their whole prompt, the others one
token, so nobody waits for anybody's end. A place that becomes free is filled before the next step from an iterable
that is read only then. What a request yields does not depend on its company: rows of different requests never meet,
and draws are keyed by request and position.

Cost of a step: the weights once, each request's keys and values once, and one row of logits a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F

from stretto.checkpoint.loading import choose_device, choose_dtype, load_model, load_tokenizer
from stretto.checkpoint.reading import open_checkpoint
from stretto.engine.cache import CacheContext
from stretto.engine.running import Running
from stretto.engine.sampling import choose
from stretto.models.decoder import Decoder
from stretto.spec.errors import UserError, bad_value
from stretto.spec.request import Completion, Delta, Request, Sampling
from stretto.spec.shape import ModelShape
from stretto.text.chat import Message, encode_chat
from stretto.text.tokenizer import Tokenizer


class Engine:
    """Generates text with one model on one device.

    Attributes:
        model: the whole model, in the dtype that it computes in.
        shape: what it is made of; `shape.context` bounds prompt and reply together.
        tokenizer: its ids, and which of them end a generation.
        max_batch: the most requests in one step.
    """

    def __init__(self, model: Decoder, shape: ModelShape, tokenizer: Tokenizer, *, max_batch: int = 8) -> None:
        if max_batch < 1:
            raise bad_value("max_batch", max_batch, "an integer of at least 1")
        self.model, self.shape, self.tokenizer, self.max_batch = model, shape, tokenizer, max_batch

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        device: str = "auto",
        precision: Literal["float32", "bfloat16", "float64"] = "float32",
        max_batch: int = 8,
    ) -> Engine:
        """An engine for a checkpoint folder, or for the latest checkpoint of a run folder.

        Args:
            path: the folder.
            device: ``auto`` (the GPU where there is one), ``cpu`` or ``cuda``.
            precision: what the model computes in.
            max_batch: the most requests in one step.

        Raises:
            UserError: there is no good checkpoint, or the machine lacks the device or precision.
        """
        where = choose_device(device)
        dtype = choose_dtype(precision, where)
        stored = open_checkpoint(Path(path))
        shape = stored.manifest.shape
        tokenizer = load_tokenizer(stored.path, shape.vocabulary)
        return cls(load_model(stored, where, dtype), shape, tokenizer, max_batch=max_batch)

    def request(self, name: str, prompt: str | Sequence[Message], sampling: Sampling | None = None) -> Request:
        """A request for a text to continue, or for the reply to a conversation.

        Args:
            name: its id.
            prompt: a text, which becomes the beginning of a document, or messages with ``role`` and ``content``.
            sampling: by default, `Sampling`'s defaults.

        Raises:
            UserError: the conversation does not fit the chat template, or the prompt does not fit the model.
        """
        if isinstance(prompt, str):
            ids = [self.tokenizer.begin, *self.tokenizer.encode(prompt)]
        else:
            ids, _ = encode_chat(self.tokenizer, prompt, (), add_generation_prompt=True)
        request = Request(name, tuple(ids), sampling or Sampling())
        self.check(request)
        return request

    def check(self, request: Request) -> None:
        """Refuse a request that this engine cannot run.

        Raises:
            UserError: its prompt is empty, longer than the model's context, or holds an id that the model lacks.
        """
        count, limit = len(request.prompt), self.shape.context
        if not 1 <= count <= limit:
            raise UserError(
                f"request {request.id}: prompt has {count} tokens; expected 1 to {limit}, the model's context."
            )
        wrong = next((token for token in request.prompt if not 0 <= token < self.shape.vocabulary), None)
        if wrong is not None:
            raise bad_value(
                f"request {request.id}: prompt token", wrong, f"an id from 0 to {self.shape.vocabulary - 1}"
            )

    def generate(self, requests: Iterable[Request]) -> Iterator[Delta]:
        """Run requests, as many at a time as `max_batch` allows, and yield every token as it comes.

        Args:
            requests: read one at a time, when a place is free. Closing the iterator that this returns frees the
                requests that run.

        Raises:
            UserError: a request cannot be run, or has the id of one that is running.
        """
        waiting = iter(requests)
        running: list[Running] = []
        while True:
            for request in islice(waiting, self.max_batch - len(running)):
                running.append(self._admitted(request, running))
            if not running:
                return
            yield from self._step(running)
            running = [one for one in running if one.finish is None]

    def completions(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Run requests as `generate` does and yield each as a whole when it ends, the quickest first."""
        parts: dict[str, list[Delta]] = {}
        prompt_tokens: dict[str, int] = {}

        def noted() -> Iterator[Request]:
            for request in requests:
                prompt_tokens[request.id] = len(request.prompt)
                yield request

        for delta in self.generate(noted()):
            parts.setdefault(delta.id, []).append(delta)
            if delta.finish is not None:
                yield _whole(parts.pop(delta.id), prompt_tokens.pop(delta.id), delta.finish)

    def complete(self, prompt: str, sampling: Sampling | None = None) -> str:
        """What follows `prompt`."""
        return "".join(delta.text for delta in self.generate([self.request("complete", prompt, sampling)]))

    def chat(self, messages: Sequence[Message], sampling: Sampling | None = None) -> Iterator[Delta]:
        """The reply to a conversation, as it comes."""
        return self.generate([self.request("chat", messages, sampling)])

    def _admitted(self, request: Request, running: Sequence[Running]) -> Running:
        self.check(request)
        if any(other.request.id == request.id for other in running):
            raise bad_value("request id", request.id, "one that no running request has")
        return Running(request, self.tokenizer, self.shape.context)

    @torch.inference_mode()
    def _step(self, running: Sequence[Running]) -> list[Delta]:
        """One pass over what every request has to feed, and its next token."""
        rows = [len(one.unfed) for one in running]
        context = CacheContext([one.cache for one in running], rows)
        weight = self.model.head_weight
        tokens = torch.tensor([token for one in running for token in one.unfed], device=weight.device)
        positions = torch.cat([torch.arange(one.fed, one.fed + n) for one, n in zip(running, rows, strict=True)])
        hidden = self.model(tokens, positions.to(weight.device), context)
        last = torch.tensor(context.offsets[1:], device=weight.device) - 1
        chosen = choose(F.linear(hidden[last], weight), [one.draw for one in running])
        return [one.take(*choice) for one, choice in zip(running, chosen, strict=True)]


def _whole(deltas: Sequence[Delta], prompt_tokens: int, finish: Literal["stop", "length"]) -> Completion:
    return Completion(
        id=deltas[0].id,
        text="".join(delta.text for delta in deltas),
        finish=finish,
        prompt_tokens=prompt_tokens,
        tokens=tuple(delta.token for delta in deltas),
        logprobs=tuple(delta.logprob for delta in deltas),
    )
