"""One request while it runs: what it feeds to the next step, and what a new token means for its text and its end."""

from __future__ import annotations

from typing import Literal

from stretto.engine.cache import RequestCache
from stretto.engine.sampling import Draw
from stretto.spec.request import Delta, Request
from stretto.text.detokenize import LONGEST_WAIT, Detokenizer, StopTexts
from stretto.text.tokenizer import Tokenizer


class Running:
    """A request that has a place in the batch.

    Attributes:
        request: what was asked for.
        cache: what its steps keep.
        unfed: tokens that the next step feeds to the model: the prompt, later the last token.
        fed: positions that the model has seen.
        finish: why it ended, once it has.
    """

    def __init__(self, request: Request, tokenizer: Tokenizer, context: int) -> None:
        self.request = request
        self.cache = RequestCache(context)
        self.unfed = request.prompt
        self.fed = 0
        self.finish: Literal["stop", "length"] | None = None
        self._end_tokens = tokenizer.end_tokens
        # Whichever comes first: max_tokens, or the token after which the model has no position left.
        self._left = min(request.sampling.max_tokens, context + 1 - len(request.prompt))
        self._detokenizer = Detokenizer(tokenizer)
        for token in request.prompt[-LONGEST_WAIT:]:  # some tokenizers write a space only after another word
            self._detokenizer.push(token)
        self._stopped = False
        self._stops = StopTexts(request.sampling.stop)

    @property
    def draw(self) -> Draw:
        """The token that follows what is not fed yet."""
        return Draw(self.request.id, self.fed + len(self.unfed), self.request.sampling)

    def take(self, token: int, logprob: float) -> Delta:
        """Go on with the token drawn after this step."""
        self.fed += len(self.unfed)
        self.unfed = (token,)
        self._left -= 1
        text = self._text(token)
        return Delta(self.request.id, token, logprob, text, self.finish)

    def _text(self, token: int) -> str:
        if token in self._end_tokens:
            self.finish = "stop"
            return self._rest()
        text = self._certain(self._detokenizer.push(token))
        if self.finish is None and not self._left:
            self.finish = "length"
            text += self._rest()
        return text

    def _certain(self, text: str) -> str:
        text, met = self._stops.push(text)
        if met:
            self.finish = "stop"
            self._stopped = True
        return text

    def _rest(self) -> str:
        """What was held back: the bytes of an unfinished character, and the start of a stop text that never came."""
        text = self._certain(self._detokenizer.finish())
        return text if self._stopped else text + self._stops.finish()
