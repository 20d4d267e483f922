"""What the checkpoint tests share: a small model's tensors cut at will, ranks joined by pipes, writers to be killed."""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch

from stretto.checkpoint import folders
from stretto.checkpoint.group import OneRank
from stretto.checkpoint.shards import OwnedPiece, whole_piece
from stretto.checkpoint.writing import write
from stretto.spec.errors import StrettoError
from stretto.spec.manifest import Header, Progress
from stretto.spec.parameters import parameters
from stretto.spec.run.model import LlamaModel

SHAPE = LlamaModel(width=8, layers=2, heads=2, kv_heads=1, head_width=4, feed_forward=12).shape(20, 16)
EXTRA = {"tokenizer.json": b"{}"}


def header(step, shape=SHAPE):
    return Header(progress=Progress(step=step), shape=shape, config={"train": {"steps": 9}}, config_digest="0" * 16)


def model_tensors(step, wide=1):
    """Every parameter, an optimizer state of its size and a 0-d count, all filled with the step."""
    out = {}
    for parameter in parameters(SHAPE):
        out[f"model/{parameter.name}"] = torch.full(parameter.shape, float(step))
        out[f"optimizer/{parameter.name}/mean"] = torch.full((wide, *parameter.shape), float(step))
        out[f"optimizer/{parameter.name}/step"] = torch.tensor(float(step))
    return out


def cut_rows(tensors, rank, ranks):
    """The pieces that `rank` of `ranks` owns when every tensor is cut along its first dim."""
    pieces = []
    for i, (name, tensor) in enumerate(tensors.items()):
        if tensor.ndim == 0:
            pieces += [whole_piece(name, tensor)] if i % ranks == rank else []
            continue
        rows = tensor.shape[0]
        start, stop = rows * rank // ranks, rows * (rank + 1) // ranks
        if start < stop:
            rest = tuple((0, size) for size in tensor.shape[1:])
            pieces.append(OwnedPiece(name, tensor[start:stop], tuple(tensor.shape), ((start, stop), *rest)))
    return pieces


def write_whole(run_folder, step, tensors=None, **options):
    """A checkpoint by one rank; tensors are those of SHAPE by default."""
    tensors = model_tensors(step) if tensors is None else tensors
    pieces = [whole_piece(name, tensor) for name, tensor in tensors.items()]
    return write(run_folder, header(step), pieces, EXTRA, OneRank(), **options)


def random_boxes(shape, pieces, random_source):
    """A tensor's box cut into at most `pieces` boxes by random straight cuts."""
    boxes = [tuple((0, size) for size in shape)]
    for _ in range(pieces - 1):
        box = random_source.choice(boxes)
        dims = [d for d, (start, stop) in enumerate(box) if stop - start > 1]
        if dims:
            d = random_source.choice(dims)
            at = random_source.randint(box[d][0] + 1, box[d][1] - 1)
            boxes.remove(box)
            boxes += [(*box[:d], half, *box[d + 1 :]) for half in pairwise([box[d][0], at, box[d][1]])]
    return boxes


@dataclass(frozen=True)
class PipeGroup:
    """Ranks joined by pipes; rank 0 holds one end to each of the others."""

    rank: int
    ranks: int
    ends: tuple

    def gather(self, text, /):
        if self.rank:
            self.ends[0].send_bytes(text.encode())
            return None
        return [text, *(end.recv_bytes().decode() for end in self.ends)]

    def broadcast(self, text, /):
        if self.rank:
            return self.ends[0].recv_bytes().decode()
        for end in self.ends:
            end.send_bytes(text.encode())
        return text


def pipe_groups(ranks):
    pipes = [multiprocessing.Pipe() for _ in range(ranks - 1)]
    first = PipeGroup(0, ranks, tuple(near for near, _ in pipes))
    return [first, *(PipeGroup(i + 1, ranks, (far,)) for i, (_, far) in enumerate(pipes))]


def on_threads(ranks, function):
    """What ``function(group)`` returned or raised on every rank, the ranks being threads."""
    results = [None] * ranks

    def call(group):
        try:
            results[group.rank] = function(group)
        except StrettoError as error:
            results[group.rank] = error

    threads = [threading.Thread(target=call, args=(group,), daemon=True) for group in pipe_groups(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a rank hangs"
    return results


def processes():
    """A fork server with torch loaded, so that a writer starts in hundredths of a second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "stretto.checkpoint.writing", "writers"])
    return context


def write_on_and_on(run_folder, group, tell):
    """Write checkpoint after checkpoint, keeping two, and tell each step once `write` returned; until killed."""
    newest = folders.latest(run_folder)
    step = (folders.step_of(newest) if newest else 0) + 1
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pieces = cut_rows(model_tensors(step, wide=64), group.rank, group.ranks)
            write(run_folder, header(step), pieces, EXTRA, group, keep=2)
            tell.send_bytes(str(step).encode())
            step += 1


def write_once(run_folder, step, group, tell, max_file_bytes):
    """Write one checkpoint with a limit on every file's size, and tell how it went."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, resource.RLIM_INFINITY))
    try:
        write(run_folder, header(step), cut_rows(model_tensors(step, wide=64), group.rank, group.ranks), EXTRA, group)
    except StrettoError as error:
        tell.send_bytes(str(error).encode())
    else:
        tell.send_bytes(b"written")


def write_and_die(run_folder, step, at):
    """Write a checkpoint, and SIGKILL this process at its operation number `at` on a file of the run folder."""
    seen = 0

    def count(event, arguments):
        nonlocal seen
        if event.startswith(("os.", "open", "shutil.")) and str(run_folder) in str(arguments):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    write_whole(run_folder, step, keep=2)


def edit_manifest(folder: Path, change):
    """Let `change` edit the manifest's JSON in place."""
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def reseal(folder: Path, name):
    """Make the manifest believe the file as it is now."""

    def change(data):
        content = (folder / name).read_bytes()
        entry = next(file for file in data["files"] if file["name"] == name)
        entry.update(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    edit_manifest(folder, change)


def seeded():
    """A random source whose seed a failing test prints."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)
