"""Writing: what is visible is whole, whatever happens to the writer."""

import errno
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from writers import (
    EXTRA,
    cut_rows,
    header,
    model_tensors,
    on_threads,
    pipe_groups,
    processes,
    seeded,
    write_and_die,
    write_on_and_on,
    write_once,
    write_whole,
)

from stretto.checkpoint import folders, shards
from stretto.checkpoint.group import OneRank
from stretto.checkpoint.reading import open_checkpoint
from stretto.checkpoint.shards import OwnedPiece, whole_piece
from stretto.checkpoint.verifying import verify
from stretto.checkpoint.writing import write
from stretto.spec.errors import StrettoError


def entries(run_folder):
    return sorted(p.name for p in (run_folder / "checkpoints").iterdir())


def assert_holds(folder, step):
    assert verify(folder).problems == ()
    stored = open_checkpoint(folder)
    for name in model_tensors(step):
        assert bool((stored.read(name) == step).all())


def test_a_checkpoint_is_self_contained(tmp_path):
    folder = write_whole(tmp_path, 7)
    assert folder == tmp_path / "checkpoints" / "step-00000007"
    names = ["manifest.json", "model-00000.safetensors", "optimizer-00000.safetensors", "tokenizer.json"]
    assert sorted(p.name for p in folder.iterdir()) == names
    assert (folder / "tokenizer.json").read_bytes() == EXTRA["tokenizer.json"]
    manifest = open_checkpoint(folder).manifest
    assert manifest.progress.step == 7
    assert manifest.config == {"train": {"steps": 9}}
    assert manifest.torch_version == torch.__version__


def test_views_of_one_buffer_and_strided_tensors_are_stored(tmp_path):
    flat = torch.arange(24.0)
    tensors = {"model/a": flat[:6].view(2, 3), "model/b": flat[6:12].view(3, 2), "model/c": flat[12:].view(3, 4).t()}
    stored = open_checkpoint(write_whole(tmp_path, 1, tensors))
    for name, tensor in tensors.items():
        assert torch.equal(stored.read(name), tensor)


def test_ranks_write_one_checkpoint_between_them(tmp_path):
    results = on_threads(3, lambda g: write(tmp_path, header(4), cut_rows(model_tensors(4), g.rank, 3), EXTRA, g))
    assert results == [folders.folder_of(tmp_path, 4)] * 3
    assert_holds(results[0], 4)
    assert {p.name for p in results[0].glob("*.safetensors")} >= {f"model-0000{r}.safetensors" for r in range(3)}


def test_keep_removes_the_oldest(tmp_path):
    for step in (1, 2, 3, 10):
        write_whole(tmp_path, step, keep=2)
    assert entries(tmp_path) == ["step-00000003", "step-00000010"]
    write_whole(tmp_path, 11, keep=1)
    assert entries(tmp_path) == ["step-00000011"]
    assert_holds(tmp_path, 11)


def test_leftovers_of_killed_writers_are_invisible_and_then_removed(tmp_path):
    write_whole(tmp_path, 1)
    parent = tmp_path / "checkpoints"
    for name in (".writing-step-00000002", ".writing-step-00000003", ".removing-step-00000000", "step-00000004"):
        shutil.copytree(parent / "step-00000001", parent / name)
    (parent / "step-00000004" / "manifest.json").unlink()
    (parent / ".writing-step-00000002" / "manifest.json").unlink()
    (parent / ".writing-stray").write_bytes(b"")
    assert folders.latest(tmp_path) == parent / "step-00000001"
    write_whole(tmp_path, 4)
    assert entries(tmp_path) == ["step-00000001", "step-00000004"]
    assert_holds(tmp_path, 4)


def test_a_checkpoint_is_never_overwritten(tmp_path):
    folder = write_whole(tmp_path, 1)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(StrettoError, match=r"step-00000001 could not be written: it is already there"):
        write_whole(tmp_path, 1, {"model/a": torch.zeros(3)})
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        ([OwnedPiece("model/a", torch.zeros(2), (4,), ((0, 2),))], "2 of 4 elements uncovered"),
        ([whole_piece("model/a", torch.zeros(4)), whole_piece("model/a", torch.ones(4))], "overlap"),
        ([OwnedPiece("model/a", torch.zeros(2), (4,), ((3, 5),))], "outside its shape"),
        ([OwnedPiece("model/a", torch.zeros(3), (4,), ((0, 4),))], "has the shape"),
        ([whole_piece("model/a", torch.zeros(2, dtype=torch.complex64))], "is complex64; a checkpoint stores"),
        (
            [
                OwnedPiece("model/a", torch.zeros(2), (4,), ((0, 2),)),
                OwnedPiece("model/a", torch.zeros(2).double(), (4,), ((2, 4),)),
            ],
            r"model/a is float32 \[4\] and float64 \[4\]",
        ),
    ],
)
def test_pieces_that_make_no_tensor_are_refused(tmp_path, pieces, sentence):
    with pytest.raises(StrettoError, match=sentence):
        write(tmp_path, header(1), pieces, EXTRA, OneRank())
    assert entries(tmp_path) == []


def test_a_vanished_run_folder(tmp_path):
    with pytest.raises(StrettoError, match=r"gone is not there \(all ranks must see the run folder\); earlier"):
        write_whole(tmp_path / "gone", 1)


def test_a_failure_on_one_rank_is_the_same_sentence_on_all(tmp_path):
    """Rank 1 sees another (missing) run folder, as on a host that does not share the file system."""
    write_whole(tmp_path, 1)

    def one_rank(group):
        run_folder = tmp_path / "elsewhere" if group.rank == 1 else tmp_path
        return write(run_folder, header(2), cut_rows(model_tensors(2), group.rank, 3), EXTRA, group)

    errors = on_threads(3, one_rank)
    assert all(isinstance(error, StrettoError) for error in errors)
    assert {str(error).partition("could not be written: ")[2] for error in errors} == {
        f"on rank 1, {tmp_path}/elsewhere is not there (all ranks must see the run folder); "
        "earlier checkpoints are untouched."
    }
    assert entries(tmp_path) == ["step-00000001"]
    assert_holds(tmp_path, 1)


def test_an_older_checkpoint_that_cannot_be_removed_is_told(tmp_path, monkeypatch):
    write_whole(tmp_path, 1)

    def refuse(path):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))

    monkeypatch.setattr(folders.shutil, "rmtree", refuse)
    with pytest.raises(StrettoError, match=r"step-00000002 is complete, but .* removed: device or resource busy\.$"):
        write_whole(tmp_path, 2, keep=1)
    assert_holds(tmp_path, 2)


def test_an_error_that_is_no_file_systems_reaches_every_rank(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_dtype", lambda tensor: 1 // 0)
    with pytest.raises(StrettoError, match="could not be written: ZeroDivisionError") as caught:
        write_whole(tmp_path, 1)
    assert isinstance(caught.value.__cause__, StrettoError)
    assert entries(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB; skipped where mounting is not permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "stretto-test", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small tmpfs; RLIMIT_FSIZE is tested instead")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_full_disk(small_disk, ranks):
    write_whole(small_disk, 1)

    def one_rank(group):
        pieces = cut_rows(model_tensors(2, wide=1000), group.rank, group.ranks)
        return write(small_disk, header(2), pieces, EXTRA, group)

    errors = on_threads(ranks, one_rank)
    assert len({str(error) for error in errors}) == 1
    assert isinstance(errors[0], StrettoError)
    assert errors[0].exit_code == 1
    assert "step-00000002 could not be written: " in str(errors[0])
    assert "no space left on device (" in str(errors[0])
    assert "MB free); earlier checkpoints are untouched." in str(errors[0])
    assert entries(small_disk) == ["step-00000001"]
    assert_holds(small_disk, 1)
    write_whole(small_disk, 3)


def test_a_read_only_file_system(small_disk):
    write_whole(small_disk, 1)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StrettoError, match="could not be written: read-only file system; earlier"):
        write_whole(small_disk, 2)
    assert_holds(small_disk, 1)


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_file_that_may_not_grow(tmp_path, ranks):
    write_whole(tmp_path, 1)
    context = processes()
    tells = [context.Pipe(duplex=False) for _ in range(ranks)]
    writers = [
        context.Process(target=write_once, args=(tmp_path, 2, group, tells[group.rank][1], 40_000))
        for group in pipe_groups(ranks)
    ]
    for writer in writers:
        writer.start()
    sentences = [near.recv_bytes().decode() for near, _ in tells if near.poll(60)]
    for writer in writers:
        writer.join(30)
    assert len(sentences) == ranks
    assert set(sentences) == {
        f"{tmp_path}/checkpoints/step-00000002 could not be written: file too large; earlier checkpoints are untouched."
    }
    assert entries(tmp_path) == ["step-00000001"]
    assert_holds(tmp_path, 1)


def test_everything_is_on_the_disk_before_it_is_visible(tmp_path, monkeypatch):
    """The order of fsync and rename, as the system sees them."""
    log = []
    fsync, rename = os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", lambda fd: log.append(os.readlink(f"/proc/self/fd/{fd}")) or fsync(fd))
    monkeypatch.setattr(Path, "rename", lambda old, new: log.append((str(old), str(new))) or rename(old, new))
    folder = write_whole(tmp_path, 1)
    staging = str(folders.staging_of(folder))
    at = log.index((staging, str(folder)))
    assert {*log[:at]} >= {f"{staging}/{path.name}" for path in folder.iterdir()} | {staging, str(tmp_path)}
    assert log.index(f"{staging}/manifest.json") > max(log.index(f"{staging}/{p.name}") for p in folder.glob("*.sa*"))
    assert log[at - 1] == staging
    assert log[at + 1 :] == [str(folder.parent)]


def test_sigkill_before_every_single_file_operation(tmp_path):
    """The same writer dies before its 1st, 2nd, 3rd ... operation until it has none left."""
    template = tmp_path / "template"
    template.mkdir()
    write_whole(template, 1)
    write_whole(template, 2)
    shutil.copytree(template / "checkpoints" / "step-00000001", template / "checkpoints" / ".writing-step-00000003")
    operations = 0
    while True:
        run_folder = tmp_path / "run"
        shutil.copytree(template, run_folder)
        writer = processes().Process(target=write_and_die, args=(run_folder, 3, operations + 1))
        writer.start()
        writer.join(60)
        steps = [folders.step_of(folder) for folder in folders.complete(run_folder)]
        assert steps in ([1, 2], [1, 2, 3], [2, 3]), f"after operation {operations}"
        for folder, step in zip(folders.complete(run_folder), steps, strict=True):
            assert_holds(folder, step)
        if writer.exitcode == 0:
            break
        assert writer.exitcode == -signal.SIGKILL
        operations += 1
        write_whole(run_folder, 4, keep=1)
        assert entries(run_folder) == ["step-00000004"]
        shutil.rmtree(run_folder)
    assert steps == [2, 3]
    assert operations >= 20


def kill_writers(run_folder: Path, ranks: int, kills: int):
    """Kill writers at random moments of their work; after every kill the newest acknowledged checkpoint is whole."""
    random_source = seeded()
    context = processes()
    acknowledged = 0
    for _ in range(kills):
        tells = [context.Pipe(duplex=False) for _ in range(ranks)]
        writers = [
            context.Process(target=write_on_and_on, args=(run_folder, group, tells[group.rank][1]))
            for group in pipe_groups(ranks)
        ]
        for writer in writers:
            writer.start()
        for _, far in tells:
            far.close()
        assert tells[0][0].poll(60), "no checkpoint was written"
        time.sleep(random_source.uniform(0, 0.06))
        for writer in random_source.sample(writers, ranks):
            writer.kill()
            writer.join()
        acknowledged = max(acknowledged, *_told(tells[0][0]))
        newest = folders.latest(run_folder)
        assert newest is not None
        assert folders.step_of(newest) >= acknowledged
        for folder in folders.complete(run_folder):
            assert_holds(folder, folders.step_of(folder))
    return acknowledged


def _told(end):
    try:
        while True:
            yield int(end.recv_bytes())
    except EOFError:
        return


@pytest.mark.parametrize("ranks", [1, 2])
def test_sigkill_at_any_moment(tmp_path, ranks):
    assert kill_writers(tmp_path, ranks, kills=10) >= 10
    hidden = [name for name in entries(tmp_path) if name.startswith(".")]
    write_whole(tmp_path, 10**6, keep=1)
    assert entries(tmp_path) == ["step-01000000"], f"leftovers were {hidden}"


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_sigkill_many_times(tmp_path, ranks):
    kill_writers(tmp_path, ranks, kills=40)
