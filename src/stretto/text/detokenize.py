"""Detokenising as tokens come: text that is certain at once, the rest as soon as it is; and stop texts.

Where every token is a string of bytes (byte-level BPE), bytes go through an incremental UTF-8 decoder, so the cost is
that of the bytes, and what is given out joins to exactly what `Tokenizer.decode` gives for all tokens. Other
tokenizers (SentencePiece with byte fallback, WordPiece) are decoded in a sliding window from the last certain place,
after vLLM and text-generation-inference; a run of bytes that is no UTF-8 is then given out at the latest after
`LONGEST_WAIT` tokens.
"""

from __future__ import annotations

import codecs

from stretto.text.tokenizer import Tokenizer

LONGEST_WAIT = 16
"""Tokens that a character may span before its bytes are given out as they are."""
_REPLACEMENT = "�"


class Detokenizer:
    """Text of one sequence of tokens, piece by piece; special tokens give none."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._decoder = _Bytes(tokenizer) if tokenizer.byte_level else _Window(tokenizer)

    def push(self, token: int) -> str:
        """The text that `token` makes certain; empty while a character is incomplete."""
        return self._decoder.push(token)

    def finish(self) -> str:
        """What was held back; call it once, after the last token."""
        return self._decoder.finish()


class _Bytes:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return self._utf8.decode(self._tokenizer.bytes_of(token))

    def finish(self) -> str:
        return self._utf8.decode(b"", final=True)


class _Window:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._special = frozenset(tokenizer.special.values())
        self._certain: list[int] = []
        self._waiting: list[int] = []

    def push(self, token: int) -> str:
        if token in self._special:
            return ""
        self._waiting.append(token)
        text = self._text()
        if text.endswith(_REPLACEMENT) and len(self._waiting) < LONGEST_WAIT:
            return ""
        # A decoder may look at what is before (a space that only a first word loses), so the window keeps some: the
        # tokens given out last, which begin and end with whole characters.
        self._certain, self._waiting = self._waiting, []
        return text

    def finish(self) -> str:
        text, self._waiting = self._text(), []
        return text

    def _text(self) -> str:
        before = self._tokenizer.decode(self._certain)
        whole = self._tokenizer.decode(self._certain + self._waiting)
        if not whole.startswith(before):  # bytes that turned what was certain into no UTF-8
            return self._tokenizer.decode(self._waiting)
        return whole[len(before) :]


class StopTexts:
    """Withholds what may be the start of a stop text, and says when one is met.

    The text that completes first wins, the longest of those that complete together, so the result does not depend on
    how the text was cut into pieces. Neither the stop text nor what follows is given out.

    Args:
        stops: texts that end a generation; empty ones are refused by the request's own check.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """What of the text so far is certain, and whether a stop text is met; after that call it no more."""
        self._held += text
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            return self._held[: min(found)[1]], True
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        certain, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return certain, False

    def finish(self) -> str:
        """What was withheld, when the text ends without a stop text."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` begins with, short of all of it."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
