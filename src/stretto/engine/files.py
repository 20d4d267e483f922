"""Files of prompts and of results, one JSON object a line, so that a long job can be killed and go on.

A result is appended as soon as it is complete, so the order is that of ending. Whoever is killed leaves whole lines
and perhaps one torn one at the end; going on removes the torn one and does the prompts that have no line. A line
carries a digest of its request: results made from other prompts or settings are not taken for these.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from stretto.spec.errors import StrettoError, UserError
from stretto.spec.request import Completion, PromptLine, Request
from stretto.spec.value import load


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A prompt, and where it stands.

    Attributes:
        where: such as ``prompts.jsonl line 3``, for sentences.
        id: the line's own, or else its number.
        line: what it says.
    """

    where: str
    id: str
    line: PromptLine


def read_prompts(path: Path) -> list[NumberedLine]:
    """All prompts of a file; blank lines are passed over.

    Raises:
        UserError: the file cannot be read, holds no prompt, or a line is wrong or has the id of an earlier one.
    """
    found: list[NumberedLine] = []
    first_place: dict[str, str] = {}
    for number, text in enumerate(_lines(path), 1):
        if not text.strip():
            continue
        where = f"{path} line {number}"
        line = load(PromptLine, _object(text, where), where)
        name = str(number) if line.id is None else line.id
        if name in first_place:
            raise UserError(f"{where}: id is {name!r}, as in {first_place[name]}; expected another one for each line.")
        first_place[name] = where
        found.append(NumberedLine(where, name, line))
    if not found:
        raise UserError(f"{path} holds no prompt; expected a JSON object with prompt or messages on each line.")
    return found


def record(completion: Completion, request: Request, *, logprobs: bool) -> dict[str, Any]:
    """The line of a result: the completion's fields and the digest of its request."""
    fields = asdict(completion)
    if not logprobs:
        del fields["logprobs"]
    return fields | {"request": digest(request)}


def digest(request: Request) -> str:
    """16 hexadecimal digits that depend on the prompt's ids and on how to sample."""
    text = json.dumps([request.prompt, request.sampling.model_dump(mode="json")])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def finished(path: Path) -> dict[str, str]:
    """Results that a file already has: id -> digest of the request. A torn last line is cut off the file.

    Raises:
        UserError: a line that is not the last is no result.
    """
    data = _bytes(path, "results")
    whole = data[: data.rfind(b"\n") + 1]
    done: dict[str, str] = {}
    for number, text in enumerate(whole.decode("utf-8", "replace").split("\n")[:-1], 1):
        entry = _object(text, f"{path} line {number}")
        if not isinstance(entry.get("id"), str) or not isinstance(entry.get("request"), str):
            raise UserError(f"{path} line {number} is no result of a generation; expected the fields id and request.")
        done[entry["id"]] = entry["request"]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return done


def left_to_do(requests: Sequence[Request], done: Mapping[str, str], path: Path) -> list[Request]:
    """The requests without a result in `path`.

    Raises:
        UserError: the file has results of other requests.
    """
    wanted = {request.id: digest(request) for request in requests}
    for name, found in done.items():
        if name not in wanted:
            raise UserError(f"{path} has a result for id {name!r}, which is not among the prompts; expected their own.")
        if wanted[name] != found:
            raise UserError(
                f"{path}: the result for id {name!r} was made from another prompt or with other settings; expected the "
                f"same to go on with."
            )
    return [request for request in requests if request.id not in done]


@contextmanager
def appending(path: Path) -> Iterator[TextIO]:
    """A file to append lines to, durable when the block ends.

    Raises:
        UserError: it cannot be opened.
        StrettoError: it cannot be written, such as on a full disk.
    """
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {_reason(error)}.") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StrettoError(f"{path} cannot be written: {_reason(error)}; complete lines are kept.") from error


def append(file: TextIO, entry: Mapping[str, Any]) -> None:
    """Write one line and hand it to the system at once."""
    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    file.flush()


def _lines(path: Path) -> list[str]:
    try:
        # Only a line feed ends a line: JSON strings may hold the other separators that splitlines knows.
        return _bytes(path, "prompts").decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 at byte {error.start}; expected a file of JSON lines.") from None


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read; expected a file of {what}: {_reason(error)}.") from None


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f'{where} is not JSON ({error}); expected an object such as {{"prompt": "..."}}.') from None
    if not isinstance(found, dict):
        raise UserError(f"{where} is {type(found).__name__}; expected a JSON object.")
    return cast("dict[str, Any]", found)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
