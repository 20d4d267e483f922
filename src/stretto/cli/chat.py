"""`stretto chat`: a conversation with a checkpoint, in the terminal."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stretto.cli.generating import add_engine_arguments, add_sampling_arguments, load_engine, sampling_of, say
from stretto.cli.show import emit
from stretto.spec.errors import UserError

if TYPE_CHECKING:
    from stretto.engine.engine import Engine
    from stretto.spec.request import Sampling

_HELP = "/reset forgets the conversation, /exit leaves (so does Ctrl-D), Ctrl-C stops a reply."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Checkpoint, system message, one-off prompt, engine, sampling."""
    add_engine_arguments(parser)
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before the conversation")
    parser.add_argument("--prompt", metavar="TEXT", help="say this, print the reply and leave")
    add_sampling_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Talk."""
    sampling = sampling_of(arguments)
    if arguments.json and arguments.prompt is None:
        raise UserError("--json is for one reply; expected --prompt with it.")
    talk = Conversation(load_engine(arguments, 1), sampling, arguments.system)
    if arguments.prompt is None:
        _loop(talk)
    elif arguments.json:
        text, finish = talk.reply(arguments.prompt, show=False)
        emit(arguments, {"text": text, "finish": finish}, lambda _: None)
    else:
        talk.reply(arguments.prompt, show=True)
    return 0


class Conversation:
    """What was said so far, within the model's context.

    Attributes:
        messages: with ``role`` and ``content``, the system's first if there is one.
    """

    def __init__(self, engine: Engine, sampling: Sampling, system: str | None) -> None:
        self._engine, self._sampling = engine, sampling
        self._opening = [{"role": "system", "content": system}] if system else []
        self.messages = list(self._opening)

    def reset(self) -> None:
        """Forget everything but the system's message."""
        self.messages = list(self._opening)

    def reply(self, text: str, *, show: bool) -> tuple[str, str | None]:
        """Say `text` and return the reply and why it ended; None for a reply that Ctrl-C stopped.

        Args:
            text: the user's message.
            show: whether to print the reply as it comes.

        Raises:
            UserError: the message does not fit the model's context even on its own; it is forgotten.
        """
        prompt = self._fitted([*self.messages, {"role": "user", "content": text}])
        parts: list[str] = []
        finish = None
        try:
            for delta in self._engine.chat(prompt, self._sampling):
                parts.append(delta.text)
                finish = delta.finish
                if show:
                    say(delta.text)
        except KeyboardInterrupt:
            if not show:
                raise
            say(" [stopped]")
        if show:
            say("\n")
        self.messages = [*prompt, {"role": "assistant", "content": "".join(parts)}]
        return "".join(parts), finish

    def _fitted(self, messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        """Drop oldest turns, and say so, until there is room for the reply: max_tokens, or half of the context."""
        from stretto.engine.history import fit
        from stretto.text.chat import encode_chat

        tokenizer, context = self._engine.tokenizer, self._engine.shape.context
        room = min(self._sampling.max_tokens, context // 2)

        def count(part: Sequence[dict[str, str]]) -> int:
            return len(encode_chat(tokenizer, part, (), add_generation_prompt=True)[0])

        kept, dropped = fit(messages, count, context - room)
        if dropped:
            print(f"(forgot the oldest {dropped} messages: the model's context is {context} tokens)", file=sys.stderr)
        return kept


def _loop(talk: Conversation) -> None:
    with contextlib.suppress(ImportError):  # arrow keys and history, where Python has them
        import readline  # noqa: F401
    print(_HELP, file=sys.stderr)
    while True:
        try:
            text = input("> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            print("\n" + _HELP, file=sys.stderr)
            continue
        if text.strip() == "/exit":
            return
        try:
            _answer(talk, text)
        except UserError as error:
            print(f"stretto: {error}", file=sys.stderr)
        except KeyboardInterrupt:  # between the question and the first token
            print(file=sys.stderr)


def _answer(talk: Conversation, text: str) -> None:
    if text.strip() == "/reset":
        talk.reset()
    elif text.strip().startswith("/"):
        print(_HELP, file=sys.stderr)
    elif text.strip():
        talk.reply(text, show=True)
