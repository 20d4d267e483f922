"""A checkpoint becomes a model on one device: which device, in which arithmetic, with which weights."""

from __future__ import annotations

from pathlib import Path

import torch

from stretto.checkpoint.reading import StoredCheckpoint
from stretto.models.build import build
from stretto.models.decoder import Decoder
from stretto.models.precisions import PRECISIONS
from stretto.parallel.world import DEVICES, pick_device
from stretto.spec.errors import UserError, bad_value, unknown_name
from stretto.text.tokenizer import TOKENIZER_FILE, Tokenizer


def choose_device(name: str) -> torch.device:
    """The device that `name`, one of `DEVICES`, means here; ``auto`` is the GPU where there is one.

    Raises:
        UserError: no such name, or this machine has no such device.
    """
    if name not in DEVICES:
        raise unknown_name("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise bad_value("device", name, "a device of this machine, which has no CUDA GPU", "use 'cpu' or 'auto'")
    return pick_device(name)


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype that `name`, one of `PRECISIONS`, means.

    Raises:
        UserError: no such name, or the device cannot compute in it.
    """
    if name not in PRECISIONS:
        raise unknown_name("precision", name, PRECISIONS)
    if name == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise bad_value("precision", name, "one that this GPU computes in", "use 'float32'")
    return PRECISIONS[name]


@torch.no_grad()
def load_model(stored: StoredCheckpoint, device: torch.device, dtype: torch.dtype) -> Decoder:
    """The checkpoint's model, its weights converted to `dtype` one at a time.

    Raises:
        UserError: a tensor is missing, damaged or of another shape than the manifest's model has.
    """
    model = build(stored.manifest.shape, device=device, dtype=dtype).requires_grad_(False)
    for name, parameter in model.named_parameters():
        weight = stored.read(f"model/{name}")
        if weight.shape != parameter.shape:
            raise UserError(
                f"{stored.path}: tensor model/{name} has the shape {list(weight.shape)}; "
                f"expected {list(parameter.shape)} by the manifest's model."
            )
        parameter.copy_(weight)
    return model


def load_tokenizer(folder: Path, vocabulary: int) -> Tokenizer:
    """The tokenizer that lies in a checkpoint's folder, for a model of `vocabulary` ids.

    Raises:
        UserError: there is none, it is damaged, or it has more ids than the model.
    """
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocabulary > vocabulary:
        raise UserError(
            f"{folder / TOKENIZER_FILE} has {tokenizer.vocabulary} ids and the model {vocabulary}; "
            f"expected no more ids than the model has."
        )
    return tokenizer
