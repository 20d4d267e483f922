"""How a picture or a page becomes a file: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from stretto.spec.errors import StrettoError


def write_whole(text: str, path: Path) -> None:
    """Write a text beside `path`, then put it in its place.

    Raises:
        StrettoError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StrettoError(f"{path} cannot be written: {error.strerror or error}.") from None
