"""Whether a stored file is what the manifest says: its size, its SHA-256, and every entry of a shard.

Each check raises one sentence that names the file and, where there is one, the tensor. Readers stop at the first;
`verifying` collects all. Torch-free.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from stretto.checkpoint import boxes
from stretto.checkpoint.dtypes import ELEMENT_TYPES
from stretto.checkpoint.durable import sha256_of
from stretto.spec.errors import UserError
from stretto.spec.manifest import Piece, StoredFile, StoredTensor


def check_size(folder: Path, file: StoredFile) -> None:
    """Refuse a file that is missing or has another size than the manifest says.

    Raises:
        UserError: naming it.
    """
    try:
        size = (folder / file.name).stat().st_size
    except OSError as error:
        raise _unreadable(folder / file.name, error) from None
    if size != file.size_bytes:
        raise UserError(f"{folder / file.name} is damaged: it has {size} bytes; expected {file.size_bytes}.")


def check_hash(folder: Path, file: StoredFile) -> None:
    """Refuse a file whose bytes changed; reads all of it.

    Raises:
        UserError: naming it.
    """
    try:
        found = sha256_of(folder / file.name)
    except OSError as error:
        raise _unreadable(folder / file.name, error) from None
    if found != file.sha256:
        raise UserError(
            f"{folder / file.name} is damaged: its bytes have the SHA-256 {found[:16]}...; "
            f"expected {file.sha256[:16]}..."
        )


def open_shard(path: Path, framework: Literal["pt", "numpy"]) -> Any:
    """Map a safetensors file; its header is checked by the library, its values are read when they are asked for.

    Raises:
        UserError: naming the file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework=framework)
    except SafetensorError as error:
        raise UserError(f"{path} is no readable safetensors file: {error}.") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def entry_of(shard: Any, folder: Path, tensor: StoredTensor, piece: Piece) -> Any:
    """The entry of one piece in its mapped file, after a look at what the file says it is.

    Raises:
        UserError: it is missing, or has another shape or dtype than the manifest says.
    """
    from safetensors import SafetensorError

    where = f"{folder / piece.file}, tensor {tensor.name}"
    try:
        entry = shard.get_slice(piece.key)
    except SafetensorError:
        raise UserError(f"{where}: the file has no entry {piece.key!r}.") from None
    found, expected = list(entry.get_shape()), list(boxes.sizes(piece.intervals))
    if found != expected:
        raise UserError(f"{where}: the file's entry has the shape {found}; expected {expected}.")
    code = ELEMENT_TYPES[tensor.dtype].code
    if entry.get_dtype() != code:
        raise UserError(f"{where}: the file's entry is {entry.get_dtype()}; expected {code} ({tensor.dtype}).")
    return entry


def check_tensor(manifest_path: Path, tensor: StoredTensor) -> None:
    """Refuse a tensor of an unknown dtype or whose pieces leave a gap, overlap or lie outside it.

    Raises:
        UserError: naming the manifest and the tensor.
    """
    if tensor.dtype not in ELEMENT_TYPES:
        known = ", ".join(ELEMENT_TYPES)
        raise UserError(f"{manifest_path}: tensor {tensor.name} is {tensor.dtype!r}; expected one of {known}.")
    fault = boxes.tiling_fault(tensor.shape, (piece.intervals for piece in tensor.pieces))
    if fault is not None:
        raise UserError(f"{manifest_path}: of tensor {tensor.name}, {fault}.")


def check_shape(manifest_path: Path, tensor: StoredTensor, table: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a weight of another shape than its parameter has in `table` (names without ``model/``).

    Raises:
        UserError: naming the manifest and the parameter.
    """
    kind, _, name = tensor.name.partition("/")
    if kind == "model" and name in table and tensor.shape != table[name]:
        raise UserError(
            f"{manifest_path}: parameter {name} has the shape {list(tensor.shape)}; the model's is {list(table[name])}."
        )


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.")
