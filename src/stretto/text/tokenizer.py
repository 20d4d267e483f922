"""Tokenizer: text to token ids and back, for any Hugging Face ``tokenizer.json``.

A thin shell around the `tokenizers` library that fixes two things: no special token is ever added, and the name of a
special token inside a text stays text, so nobody can write an end of turn into a document or a chat message. Which
tokens begin and end a document comes from the file beside it (`text.names`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stretto.spec.errors import UserError
from stretto.spec.value import dump_json
from stretto.text.names import CONFIG_FILE, TextConfig, read_config

if TYPE_CHECKING:
    import tokenizers

TOKENIZER_FILE = "tokenizer.json"
GROUP_CHARACTERS = 2**20
"""Characters that are tokenised at once."""
_LINE_START = re.compile(r"\n(?=\S)")
_CUT_TRIALS = 16
_CUT_CONTEXT = 64


class Tokenizer:
    """Text to ids and back.

    Attributes:
        config: the roles of the special tokens and the chat template.
    """

    def __init__(self, inner: tokenizers.Tokenizer, config: TextConfig) -> None:
        from tokenizers import Tokenizer as Inner

        self._inner = Inner.from_str(_with_specials(inner, config))
        self._inner.encode_special_tokens = True
        self._inner.no_truncation()
        self._inner.no_padding()
        self.config = config

    @classmethod
    def load(cls, path: Path | str) -> Tokenizer:
        """Read a ``tokenizer.json``, or a folder that holds one.

        Raises:
            UserError: there is none, it is damaged, or the tokens that begin and end a document are not known.
        """
        from tokenizers import Tokenizer as Inner

        path = Path(path)
        file = path / TOKENIZER_FILE if path.is_dir() else path
        if not file.is_file():
            raise UserError(f"{file} does not exist; expected a {TOKENIZER_FILE} or a folder that holds one.")
        try:
            inner = Inner.from_str(file.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises bare Exception
            raise UserError(f"{file} cannot be read as a tokenizer: {error}.") from None
        return cls(inner, read_config(file.parent, inner.get_vocab()))

    def save(self, folder: Path | str) -> None:
        """Write ``tokenizer.json`` and ``text_config.json`` into an existing folder."""
        folder = Path(folder)
        (folder / TOKENIZER_FILE).write_text(self._inner.to_str(pretty=True), encoding="utf-8")
        (folder / CONFIG_FILE).write_text(dump_json(self.config), encoding="utf-8")

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; nothing is added, and names of special tokens in it are ordinary text.

        Raises:
            UserError: the text holds half of a surrogate pair, which no encoding can write.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for many texts at once, on all cores.

        The library needs about 110 bytes a character while it works, so texts go to it in groups of `GROUP_CHARACTERS`,
        and a longer one in parts, cut at line starts where that is seen to change no token.
        """
        for text in texts:
            _check_unicode(text)
        found: list[list[int]] = [[] for _ in texts]
        parts = ((number, part) for number, text in enumerate(texts) for part in self._parts(text))
        for group in _groups(parts):
            for (number, _), ids in zip(group, self._encode_group([part for _, part in group]), strict=True):
                found[number] += ids
        return found

    def _encode_group(self, texts: list[str]) -> list[list[int]]:
        found = [encoding.ids for encoding in self._inner.encode_batch_fast(texts, add_special_tokens=False)]
        if self._leaks is None:
            return found
        risky = re.compile(self._leaks)
        return [self._apart(t, risky) if risky.search(t) else ids for t, ids in zip(texts, found, strict=True)]

    def _parts(self, text: str) -> Iterator[str]:
        start = 0
        while len(text) - start > GROUP_CHARACTERS:
            stop = self._cut(text, start + GROUP_CHARACTERS)
            yield text[start:stop]
            start = stop
        if start < len(text) or not text:
            yield text[start:]

    def _cut(self, text: str, near: int) -> int:
        """The first line start from `near` on where the text around it has the same tokens in two parts."""
        for line in islice(_LINE_START.finditer(text, near), _CUT_TRIALS):
            place = line.end()
            before, after = text[max(place - _CUT_CONTEXT, 0) : place], text[place : place + _CUT_CONTEXT]
            whole, left, right = self._encode_group([before + after, before, after])
            if whole == left + right:
                return place
        return len(text)

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """The text of `ids`; bytes that are no UTF-8 become U+FFFD."""
        return self._inner.decode(list(ids), skip_special_tokens=skip_special)

    def id(self, token: str) -> int | None:
        """The id of a token by its name, or None."""
        return self._inner.token_to_id(token)

    def name(self, token: int) -> str | None:
        """The name of a token by its id as the vocabulary spells it, or None."""
        return self._inner.id_to_token(token)

    @cached_property
    def vocabulary(self) -> int:
        """One more than the largest id."""
        return max(self._inner.get_vocab().values()) + 1

    @cached_property
    def begin(self) -> int:
        """The id that starts every document."""
        return self._id(self.config.begin)

    @cached_property
    def end(self) -> int:
        """The id that ends every document."""
        return self._id(self.config.end)

    @cached_property
    def end_tokens(self) -> frozenset[int]:
        """The ids that end a generation: `end` and the ends of a turn."""
        return frozenset({self.end, *(self._id(name) for name in self.config.turn_ends)})

    @cached_property
    def special(self) -> dict[str, int]:
        """Name and id of every special token; none of them comes out of `encode`."""
        added = self._inner.get_added_tokens_decoder()
        return {token.content: i for i, token in sorted(added.items()) if token.special}

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that name the tokenizer and its token roles."""
        canonical = json.dumps(json.loads(self._inner.to_str()), sort_keys=True) + dump_json(self.config)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @cached_property
    def byte_level(self) -> bool:
        """Whether every token is a string of bytes (the decoder is ByteLevel and nothing else)."""
        decoder: Any = json.loads(self._inner.to_str())["decoder"]
        return decoder is not None and decoder["type"] == "ByteLevel"

    @cached_property
    def _leaks(self) -> str | None:
        """A pattern that cuts special tokens which the model itself makes from ordinary text (Unigram does)."""
        found: list[str] = []
        for name, token in self.special.items():
            for text in (name, self._inner.decode([token], skip_special_tokens=False)):
                ids = self._inner.encode(text, add_special_tokens=False).ids if len(text) > 1 else []
                if token in ids:
                    found.append(f"(?<={re.escape(text[0])})(?={re.escape(text[1:])})")
        return "|".join(found) or None

    def _apart(self, text: str, cuts: re.Pattern[str]) -> list[int]:
        parts = self._inner.encode_batch_fast(cuts.split(text), add_special_tokens=False)
        return [token for part in parts for token in part.ids]

    def bytes_of(self, token: int) -> bytes:
        """The bytes that a token of a byte-level tokenizer stands for; none for special and unknown tokens."""
        name = self.name(token)
        if name is None or name in self.special:
            return b""
        try:
            return bytes(self._alphabet[c] for c in name)
        except KeyError:  # an added token with characters outside the alphabet stands for itself
            return name.encode()

    @cached_property
    def _alphabet(self) -> dict[str, int]:
        """The character that stands for each byte (GPT-2's `bytes_to_unicode`)."""
        shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
        hidden = sorted(set(range(256)) - set(shown))
        return {chr(b): b for b in shown} | {chr(0x100 + i): b for i, b in enumerate(hidden)}

    def _id(self, name: str) -> int:
        found = self.id(name)
        if found is None:
            raise UserError(f"the tokenizer has no token {name!r}; expected it by its {CONFIG_FILE}.")
        return found


def _groups(parts: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    group: list[tuple[int, str]] = []
    characters = 0
    for number, part in parts:
        group.append((number, part))
        characters += len(part)
        if characters >= GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"the text has {text[error.start]!r} at character {error.start}; expected Unicode without surrogates."
        ) from None


def _with_specials(inner: tokenizers.Tokenizer, config: TextConfig) -> str:
    """The tokenizer's JSON with every token that `config` names marked special, as some models forget to."""
    table = json.loads(inner.to_str())
    added: list[dict[str, Any]] = table["added_tokens"]
    for name in sorted({config.begin, config.end, *config.turn_ends}):
        entry = next((e for e in added if e["content"] == name), None)
        if entry is None:
            flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
            entry = {"id": inner.token_to_id(name), "content": name, **flags}
            added.append(entry)
        entry["special"] = True
    added.sort(key=lambda e: e["id"])
    return json.dumps(table, ensure_ascii=False)
