"""Resuming: which checkpoint a run goes on from, and the reasons not to."""

import pytest
from writers import SHAPE, on_threads, write_whole

from stretto.checkpoint.resuming import first_difference, resolve_resume
from stretto.spec.errors import UserError
from stretto.spec.run.model import LlamaModel


def test_latest_and_path(tmp_path):
    (tmp_path / "a").mkdir()
    for step in (1, 2):
        write_whole(tmp_path / "a", step)
    newest = tmp_path / "a" / "checkpoints" / "step-00000002"
    assert resolve_resume(tmp_path / "a", "latest", SHAPE).path == newest
    assert resolve_resume(tmp_path / "a", str(newest)).path == newest
    assert resolve_resume(tmp_path / "b", str(tmp_path / "a")).path == newest
    oldest = newest.with_name("step-00000001")
    assert resolve_resume(tmp_path / "b", str(oldest), SHAPE).manifest.progress.step == 1


def test_nothing_to_resume_from(tmp_path):
    with pytest.raises(UserError, match="holds no complete checkpoint to resume from; start it without --resume"):
        resolve_resume(tmp_path, "latest")
    with pytest.raises(UserError, match="does not exist; expected a checkpoint folder"):
        resolve_resume(tmp_path, str(tmp_path / "lastest"))


def test_an_older_checkpoint_of_the_same_run_would_fork_its_history(tmp_path):
    oldest, _ = write_whole(tmp_path, 1), write_whole(tmp_path, 2)
    with pytest.raises(UserError, match=r"step-00000001 is not the latest checkpoint of .* which is step-00000002; "):
        resolve_resume(tmp_path, str(oldest))


def test_another_model_is_refused_by_its_first_differing_field(tmp_path):
    write_whole(tmp_path, 1)
    model = LlamaModel(width=8, layers=2, heads=2, kv_heads=1, head_width=4, feed_forward=16)
    with pytest.raises(UserError, match=r"layers\.0\.feed_forward\.width is 12 there and 16 in this run"):
        resolve_resume(tmp_path, "latest", model.shape(20, 16))


@pytest.mark.parametrize(
    ("changes", "vocabulary", "expected"),
    [
        ({}, 20, None),
        ({"width": 16}, 20, ("width", 8, 16)),
        ({"layers": 3}, 20, ("the number of layers", 2, 3)),
        ({}, 21, ("vocabulary", 20, 21)),
        ({"tied": True}, 20, ("tied", False, True)),
        ({"rotary_base": 500.0}, 20, ("layers.0.mixer.rotary.base", 10000.0, 500.0)),
    ],
)
def test_first_difference(changes, vocabulary, expected):
    fields = {"width": 8, "layers": 2, "heads": 2, "kv_heads": 1, "head_width": 4, "feed_forward": 12, **changes}
    assert first_difference(SHAPE, LlamaModel(**fields).shape(vocabulary, 16)) == expected


def test_a_damaged_latest_one_names_the_one_before(tmp_path):
    write_whole(tmp_path, 1)
    folder = write_whole(tmp_path, 2)
    (folder / "model-00000.safetensors").write_bytes(b"")
    errors = on_threads(2, lambda group: resolve_resume(tmp_path, "latest", SHAPE, group))
    assert len({str(error) for error in errors}) == 1
    assert str(errors[0]).endswith(" Move step-00000002 away to resume from step-00000001.")
    assert "model-00000.safetensors is damaged: it has 0 bytes" in str(errors[0])
