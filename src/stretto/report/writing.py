"""How a picture or a page becomes a file: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from stretto.spec.errors import StrettoError, bad_value


def write_whole(text: str, path: Path) -> None:
    """Write a text beside `path`, then put it in its place.

    Raises:
        StrettoError: the file cannot be written.
        UserError: the path names no file.
    """
    if not path.name:
        raise bad_value("output file", str(path), "the name of a file")
    place = path.resolve()
    part = place.with_name(place.name + ".part")
    try:
        if place.exists() and not place.is_file():  # a device or a pipe is written to, never replaced
            place.write_text(text, encoding="utf-8")
            return
        part.write_text(text, encoding="utf-8")
        part.replace(place)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StrettoError(f"{path} cannot be written: {error.strerror or error}.") from None
