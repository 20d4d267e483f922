"""Documents from folders of text or source code, JSON lines and Parquet, one at a time.

A document is a text or a chat. What cannot be read, decoded or parsed is reported with its place and left out; a
second document with the same content is dropped. Memory is one document (one batch of rows for Parquet) and 16 bytes
of hash for every document seen. Which part of a split a document belongs to depends on its content only.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from stretto.spec.errors import UserError

_LINES = (".jsonl", ".ndjson")
_PARQUET = ".parquet"


@dataclass(frozen=True)
class Document:
    """One document as it was found.

    Attributes:
        name: where it was: a path, ``path:line`` or ``path#row``.
        content: a text, or a chat as a list of messages.
    """

    name: str
    content: str | list[Mapping[str, Any]]

    @cached_property
    def hash(self) -> bytes:
        """16 bytes that name the content."""
        text = self.content if isinstance(self.content, str) else json.dumps(self.content, sort_keys=True)
        return hashlib.sha256(text.encode()).digest()[:16]

    def held_out(self, share: float) -> bool:
        """Whether this document belongs to the `share` (0 to 1) of all contents that is held out."""
        return int.from_bytes(self.hash[:8], "big") < share * 2.0**64


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out: where it is, its line or row if it has one, and why."""

    path: str
    line: int | None
    why: str

    @property
    def kind(self) -> str:
        """The reason without its particulars, to count by."""
        return self.why.split(":")[0]


Report = Callable[[Skipped], None]


def documents(sources: Sequence[Path | str], report: Report, suffixes: Sequence[str] = ()) -> Iterator[Document]:
    """Every different document of `sources`, in the order of sources, then of sorted paths.

    Args:
        sources: folders (searched to the bottom, hidden entries left out), files, or patterns such as ``docs/**/*.md``.
            JSON lines and Parquet files hold a document a line or row, in a field ``text`` or ``messages``; every
            other file is one document in UTF-8.
        report: is told what is left out, and why.
        suffixes: the endings of file names that are taken, such as ``.py``; none to take all.

    Raises:
        UserError: a source does not exist, or a Parquet file is met and pyarrow is not installed.
    """
    seen: set[bytes] = set()
    for path in files(sources, suffixes):
        for document in _read(path, report):
            if document.hash in seen:
                report(Skipped(document.name, None, "duplicate"))
                continue
            seen.add(document.hash)
            yield document


def files(sources: Sequence[Path | str], suffixes: Sequence[str] = ()) -> Iterator[Path]:
    """The files of `sources` as `documents` reads them; a file met twice is given once."""
    wanted = tuple(s if s.startswith(".") else f".{s}" for s in suffixes)
    met: set[str] = set()
    for source in sources:
        for path in _expand(Path(source)):
            place = os.path.realpath(path)
            if place not in met and path.name.endswith(wanted or ("",)):
                met.add(place)
                yield path


def _expand(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from _walk(source)
    elif source.exists():
        yield source
    elif glob.has_magic(str(source)) and (found := sorted(glob.glob(str(source), recursive=True))):
        yield from (p for p in map(Path, found) if p.is_file())
    else:
        raise UserError(f"{source} does not exist; expected a folder, a file or a pattern of files with documents.")


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        yield from (p for n in sorted(names) if not n.startswith(".") and (p := Path(place, n)).is_file())


def _read(path: Path, report: Report) -> Iterator[Document]:
    try:
        if path.suffix in _LINES:
            yield from _read_lines(path, report)
        elif path.suffix == _PARQUET:
            yield from _read_parquet(path, report)
        else:
            yield from _read_text(path, report)
    except OSError as error:
        report(Skipped(str(path), None, f"cannot be read: {error.strerror or error}"))


def _read_text(path: Path, report: Report) -> Iterator[Document]:
    data = path.read_bytes()
    if b"\0" in data:
        report(Skipped(str(path), None, "not text: it has a zero byte"))
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        report(Skipped(str(path), line, f"not UTF-8: byte 0x{data[error.start]:02x}"))
        return
    yield from _checked(str(path), {"text": text}, Skipped(str(path), None, ""), report)


def _read_lines(path: Path, report: Report) -> Iterator[Document]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = Skipped(str(path), number, "")
            try:
                record: object = json.loads(line)
            except UnicodeDecodeError:
                report(Skipped(place.path, number, "not UTF-8"))
            except (ValueError, RecursionError) as error:
                report(Skipped(place.path, number, f"not JSON: {error}"))
            else:
                yield from _checked(f"{path}:{number}", record, place, report)


def _read_parquet(path: Path, report: Report) -> Iterator[Document]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UserError(f"{path} is a Parquet file, which needs pyarrow; run: pip install 'stretto[parquet]'") from None
    try:
        with parquet.ParquetFile(path) as file:
            columns = [c for c in ("text", "messages") if c in file.schema_arrow.names]
            if not columns:
                report(Skipped(str(path), None, "it has no column text or messages"))
                return
            rows = (r for batch in file.iter_batches(batch_size=1024, columns=columns) for r in batch.to_pylist())
            for number, record in enumerate(rows):
                yield from _checked(f"{path}#{number}", _filled(record), Skipped(str(path), number, ""), report)
    except pyarrow.ArrowException as error:
        report(Skipped(str(path), None, f"not Parquet: {str(error).splitlines()[0]}"))


def _filled(value: Any) -> Any:
    """A Parquet record without its nulls: a struct column has every field in every row."""
    if isinstance(value, dict):
        return {k: _filled(v) for k, v in cast("dict[str, Any]", value).items() if v is not None}
    return [_filled(v) for v in cast("list[Any]", value)] if isinstance(value, list) else value


def _checked(name: str, record: object, place: Skipped, report: Report) -> Iterable[Document]:
    """The document of a record, or nothing and a report."""
    why = _flaw(record)
    if why:
        report(Skipped(place.path, place.line, why))
        return ()
    table = cast("Mapping[str, Any]", record)
    return (Document(name, table["text"] if "text" in table else table["messages"]),)


def _flaw(record: object) -> str | None:
    if not isinstance(record, Mapping):
        return "not a table with text or messages"
    table = cast("Mapping[str, object]", record)
    if "text" in table:
        content, fits, kind = table["text"], isinstance(table["text"], str), "text is no string"
    elif "messages" in table:
        content, fits, kind = (
            table["messages"],
            _is_chat(table["messages"]),
            "messages is no list of tables with a role",
        )
    else:
        return "it has neither text nor messages"
    if not fits:
        return kind
    return None if content and _is_unicode(content) else "empty" if not content else "half of a surrogate pair"


def _is_unicode(content: object) -> bool:
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_chat(content: object) -> bool:
    if not isinstance(content, list):
        return False
    return all(isinstance(m, Mapping) and isinstance(m.get("role"), str) for m in cast("list[Any]", content))
