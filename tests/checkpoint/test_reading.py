"""Reading: any cut of any writer's pieces, and a sentence for every kind of damage."""

import random
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from writers import cut_rows, edit_manifest, header, model_tensors, on_threads, random_boxes, reseal, write_whole

from stretto.checkpoint.boxes import slices, whole
from stretto.checkpoint.dtypes import ELEMENT_TYPES
from stretto.checkpoint.folders import latest
from stretto.checkpoint.reading import open_checkpoint
from stretto.checkpoint.shards import OwnedPiece
from stretto.checkpoint.writing import write
from stretto.spec.errors import UserError

MODEL = "model-00000.safetensors"
NAME = "model/embed.weight"
STATE = "optimizer/embed.weight/mean"


def some_values(shape, dtype, source):
    """A tensor of random bits, so that no two elements are likely to be equal."""
    kind = getattr(torch, dtype)
    if kind is torch.bool:
        return torch.tensor(source.choices([True, False], k=torch.Size(shape).numel())).reshape(shape)
    count = torch.Size(shape).numel() * kind.itemsize
    raw = torch.tensor([source.randrange(256) for _ in range(count)], dtype=torch.uint8)
    return raw.view(kind).reshape(shape) if count else torch.empty(shape, dtype=kind)


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ranks=st.integers(1, 4),
    layout=st.lists(
        st.tuples(st.lists(st.integers(0, 6), max_size=3).map(tuple), st.sampled_from(sorted(ELEMENT_TYPES))),
        min_size=1,
        max_size=4,
    ),
    seed=st.integers(0, 2**32),
)
def test_any_cut_is_read_under_any_other(ranks, layout, seed):
    """What 1 to 4 ranks wrote in random pieces reads bit for bit in other random pieces."""
    source = random.Random(seed)
    tensors = {f"model/{i}": some_values(shape, dtype, source) for i, (shape, dtype) in enumerate(layout)}
    owned = [[] for _ in range(ranks)]
    for name, tensor in tensors.items():
        for box in random_boxes(tensor.shape, source.randint(1, 5), source):
            part = tensor[slices(box, whole(tensor.shape))]
            source.choice(owned).append(OwnedPiece(name, part, tuple(tensor.shape), box))
    with tempfile.TemporaryDirectory() as folder:
        run_folder = Path(folder)
        results = on_threads(ranks, lambda group: write(run_folder, header(1), owned[group.rank], {}, group))
        assert results == [run_folder / "checkpoints" / "step-00000001"] * ranks
        stored = open_checkpoint(run_folder)
        assert set(stored.names()) == set(tensors)
        for name, tensor in tensors.items():
            for box in random_boxes(tensor.shape, source.randint(1, 5), source):
                got, expected = stored.read(name, box), tensor[slices(box, whole(tensor.shape))]
                assert got.shape == expected.shape
                assert got.dtype == expected.dtype
                assert bits(got) == bits(expected)


def test_dtype_and_device_are_those_asked_for(tmp_path):
    values = torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16)
    stored = open_checkpoint(write_whole(tmp_path, 1, {"model/a": values}))
    assert torch.equal(stored.read("model/a", dtype=torch.float64), values.double())
    assert stored.read("model/a", device="meta").device.type == "meta"


def test_what_is_read_belongs_to_the_reader(tmp_path):
    """Changing it changes neither the file nor a later read."""
    stored = open_checkpoint(write_whole(tmp_path, 3))
    stored.read(NAME).zero_()
    assert bool((stored.read(NAME) == 3).all())
    open_checkpoint(tmp_path).check_hashes()


def test_a_run_folder_means_its_latest_checkpoint(tmp_path):
    assert latest(tmp_path) is None
    for step in (1, 2):
        write_whole(tmp_path, step)
    newest = tmp_path / "checkpoints" / "step-00000002"
    assert latest(tmp_path) == newest
    for path in (tmp_path, tmp_path / "checkpoints", newest):
        assert open_checkpoint(path).path == newest


def test_names_by_prefix(tmp_path):
    stored = open_checkpoint(write_whole(tmp_path, 1, {"model/a": torch.ones(1), "optimizer/a/mean": torch.ones(1)}))
    assert stored.names() == ("model/a", "optimizer/a/mean")
    assert stored.names("optimizer/") == ("optimizer/a/mean",)


def test_a_shard_is_plain_safetensors(tmp_path):
    folder = write_whole(tmp_path, 5)
    assert bool((load_file(folder / MODEL)[NAME] == 5).all())


def test_wrong_questions(tmp_path):
    stored = open_checkpoint(write_whole(tmp_path, 1))
    with pytest.raises(UserError, match=r"has no tensor 'model/embed.wight' \(did you mean 'model/embed.weight'\?\)"):
        stored.read("model/embed.wight")
    for box in ([(0, 21), (0, 8)], [(0, 20)], [(-1, 3), (0, 8)]):
        with pytest.raises(UserError, match=r"of tensor model/embed.weight was asked for; its shape is \[20, 8\]"):
            stored.read(NAME, box)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: p / "none", r"none does not exist; expected a checkpoint folder \(with manifest.json\) or a run"),
        (lambda p: p, "is no Stretto checkpoint; expected"),
        (lambda p: (p / "checkpoints").mkdir() or p, "holds no complete checkpoint; expected"),
        (lambda p: (p / "config.json").write_text("{}") and p, "looks like a Hugging Face model"),
        (lambda p: (p / "x.pt").write_bytes(b"x") and p / "x.pt", "x.pt is a file; expected"),
    ],
)
def test_foreign_paths(tmp_path, make, sentence):
    with pytest.raises(UserError, match=sentence):
        open_checkpoint(make(tmp_path))


def test_a_path_inside_a_checkpoint(tmp_path):
    folder = write_whole(tmp_path, 1)
    with pytest.raises(UserError, match=rf"is a file; .* \(did you mean '{folder}'\?\)"):
        open_checkpoint(folder / "manifest.json")
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"has no manifest.json, so it is no complete checkpoint"):
        open_checkpoint(folder)


def cut_short(folder):
    path = folder / MODEL
    path.write_bytes(path.read_bytes()[:-5])


def flip_a_bit(folder):
    path = folder / MODEL
    content = bytearray(path.read_bytes())
    content[-7] ^= 4
    path.write_bytes(content)


def cut_short_and_seal(folder):
    cut_short(folder)
    reseal(folder, MODEL)


def no_safetensors(folder):
    (folder / MODEL).write_bytes(b"PK\x03\x04 a pickled file, say")
    reseal(folder, MODEL)


def replace_embedding(folder, tensor):
    tensors = load_file(folder / MODEL)
    del tensors[NAME]
    save_file({**tensors, **({} if tensor is None else {NAME: tensor})}, folder / MODEL)
    reseal(folder, MODEL)


def in_manifest(change, name=NAME):
    """Damage to the manifest's entry of the embedding or of another tensor."""

    def damage(folder):
        edit_manifest(folder, lambda data: change(next(t for t in data["tensors"] if t["name"] == name), data))

    return damage


DAMAGES = {
    "cut short": (cut_short, rf"{MODEL} is damaged: it has \d+ bytes; expected \d+\.$"),
    "flipped bit": (flip_a_bit, rf"{MODEL} is damaged: its bytes have the SHA-256 \w+\.\.\.; expected \w+\.\.\.$"),
    "missing": (lambda f: (f / MODEL).unlink(), rf"{MODEL} cannot be read: no such file or directory\.$"),
    "a folder": (lambda f: (f / MODEL).unlink() or (f / MODEL).mkdir(), rf"{MODEL} (is damaged|cannot be read): "),
    "cut and sealed": (cut_short_and_seal, rf"{MODEL} is no readable safetensors file: "),
    "no safetensors": (no_safetensors, rf"{MODEL} is no readable safetensors file: "),
    "entry missing": (
        lambda f: replace_embedding(f, None),
        rf"{MODEL}, tensor {NAME}: the file has no entry '{NAME}'\.$",
    ),
    "entry of another shape": (
        lambda f: replace_embedding(f, torch.zeros(8, 20)),
        rf"{MODEL}, tensor {NAME}: the file's entry has the shape \[8, 20\]; expected \[20, 8\]\.$",
    ),
    "entry of another dtype": (
        lambda f: replace_embedding(f, torch.zeros(20, 8).half()),
        rf"{MODEL}, tensor {NAME}: the file's entry is F16; expected F32 \(float32\)\.$",
    ),
    "gap": (
        in_manifest(lambda t, _: t["pieces"][0].update(intervals=[[0, 19], [0, 8]])),
        rf"manifest.json: of tensor {NAME}, its pieces leave 8 of 160 elements uncovered\.$",
    ),
    "overlap": (
        in_manifest(lambda t, _: t["pieces"].append(t["pieces"][0])),
        rf"manifest.json: of tensor {NAME}, pieces \[0:20, 0:8\] and \[0:20, 0:8\] overlap\.$",
    ),
    "another shape": (
        in_manifest(lambda t, _: t.update(shape=[20, 9])),
        r"manifest.json: parameter embed.weight has the shape \[20, 9\]; the model's is \[20, 8\]\.$",
    ),
    "state of another shape": (
        in_manifest(lambda t, _: t.update(shape=[20, 9]), STATE),
        rf"manifest.json: of tensor {STATE}, piece \[0:1, 0:20, 0:8\] is outside its shape \(20, 9\)\.$",
    ),
    "negative interval": (
        in_manifest(lambda t, _: t["pieces"][0].update(intervals=[[-1, 19], [0, 8]])),
        "is outside its shape",
    ),
    "vast shape": (
        in_manifest(lambda t, _: (t.update(shape=[10**15]), t["pieces"][0].update(intervals=[[0, 10**15]])), STATE),
        rf"optimizer-00000\.\w+, tensor {STATE}: the file's entry has the shape \[1, 20, 8\]; expected \[10+\]\.$",
    ),
    "unknown dtype": (
        in_manifest(lambda t, _: t.update(dtype="float3")),
        rf"manifest.json: tensor {NAME} is 'float3'; expected one of float64",
    ),
    "unlisted file": (
        in_manifest(lambda _, data: data.update(files=[f for f in data["files"] if f["name"] != MODEL])),
        rf"manifest.json: {MODEL} holds tensors but is not among the files\.$",
    ),
    "path outside": (in_manifest(lambda t, _: t["pieces"][0].update(file="../../secret")), "manifest.json: tensors"),
    "file outside": (in_manifest(lambda _, data: data["files"][0].update(name="/etc/passwd")), "manifest.json: files"),
    "no JSON": (lambda f: (f / "manifest.json").write_text('{"format": '), "manifest.json is not the manifest of a"),
    "binary": (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"), "manifest.json cannot be read as"),
    "another format": (
        in_manifest(lambda _, data: data.update(format="stretto.checkpoint/9")),
        r"its format is 'stretto.checkpoint/9'; expected 'stretto.checkpoint/1'\.$",
    ),
    "no table": (lambda f: (f / "manifest.json").write_text("[]"), "manifest.json"),
    "a field missing": (in_manifest(lambda _, data: data.pop("progress")), "progress is missing"),
}


def read_two(path):
    stored = open_checkpoint(path)
    return stored.read(NAME), stored.read(STATE)


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_one_sentence(tmp_path, kind):
    folder = write_whole(tmp_path, 1)
    damage, sentence = DAMAGES[kind]
    damage(folder)
    with pytest.raises(UserError, match=sentence) as caught:
        read_two(tmp_path)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_one_ranks_bad_file_is_told_to_every_rank(tmp_path):
    """The files are hashed by the ranks in turn; all raise the sentence of the one that found the damage."""
    [folder, *_] = on_threads(2, lambda g: write(tmp_path, header(1), cut_rows(model_tensors(1), g.rank, 2), {}, g))
    assert [opened.path for opened in on_threads(2, lambda group: open_checkpoint(tmp_path, group))] == [folder] * 2
    flip_a_bit(folder)
    errors = on_threads(2, lambda group: open_checkpoint(tmp_path, group))
    assert len({str(error) for error in errors}) == 1
    assert isinstance(errors[1], UserError)
    assert MODEL in str(errors[1])


def test_a_file_is_hashed_before_its_first_value_and_once(tmp_path):
    folder = write_whole(tmp_path, 1)
    stored = open_checkpoint(folder)
    flip_a_bit(folder)
    assert bool((stored.read("optimizer/embed.weight/step") == 1).all())
    with pytest.raises(UserError, match="SHA-256"):
        stored.read(NAME)
    with pytest.raises(UserError, match="SHA-256"):
        stored.check_hashes()
