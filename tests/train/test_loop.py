"""A whole run on one rank: what it writes, how it goes on, and how it stops."""

import json
import shutil
import signal

import pytest
import torch

import stretto
from stretto.checkpoint.reading import open_checkpoint
from stretto.ops.cross_entropy import linear_cross_entropy
from stretto.spec.batch import NO_LABEL, PackedBatch
from stretto.spec.errors import StrettoError, UserError
from stretto.spec.trace import Trace
from stretto.train.events import Saved, Started, Stepped, Validated
from stretto.train.task import Task, next_token_measures


def _metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def _tensors(path):
    stored = open_checkpoint(path)
    return {name: stored.read(name) for name in stored.names()}


def _same_tensors(a, b):
    left, right = _tensors(a), _tensors(b)
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


def test_a_run_learns_and_tells(make_config, small_data):
    told = []
    config = make_config(
        train={"steps": 30},
        optimizer={"kind": "muon"},
        validation={"path": small_data / "validation", "every": 10, "rows": 8},
        checkpoint={"every": 10},
    )
    outcome = stretto.train(config, watch=told.append)
    lines = _metrics(config.folder)
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 31))
    assert steps[-1]["loss"] < 0.9 * steps[0]["loss"]
    held_out = [line["validation_loss"] for line in lines if "validation_loss" in line]
    assert len(held_out) == 3
    assert held_out[-1] < held_out[0]
    assert outcome.measures["loss"] == held_out[-1]
    assert [type(e) for e in told if not isinstance(e, Stepped)] == [Started] + [Validated, Saved] * 3
    assert sorted(p.name for p in (config.folder / "checkpoints").iterdir()) == ["step-00000020", "step-00000030"]
    assert outcome.checkpoint.name == "step-00000030"
    peaks = [e.peak_share for e in told if isinstance(e, Stepped)]
    assert all(0 < share < 10 for share in peaks)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resuming_changes_no_bit(make_config, tmp_path, kind, precision):
    common = {"optimizer": {"kind": kind}, "checkpoint": {"every": 10, "keep": 5}}
    straight = make_config(folder=tmp_path / "straight", train={"steps": 20, "precision": precision}, **common)
    stretto.train(straight)
    halves = make_config(folder=tmp_path / "halves", train={"steps": 20, "precision": precision}, **common)
    first = shutil.copytree(straight.folder, halves.folder)
    shutil.rmtree(first / "checkpoints" / "step-00000020")
    outcome = stretto.train(halves, resume="latest")
    assert outcome.step == 20
    _same_tensors(straight.folder, halves.folder)
    assert [line["loss"] for line in _metrics(straight.folder)] == [line["loss"] for line in _metrics(halves.folder)]


def test_a_run_folder_is_never_overwritten(make_config):
    config = make_config()
    stretto.train(config)
    before = _metrics(config.folder)
    with pytest.raises(UserError, match="holds a run already"):
        stretto.train(config)
    assert _metrics(config.folder) == before


def test_resuming_a_finished_run_does_nothing(make_config):
    config = make_config()
    first = stretto.train(config)
    again = stretto.train(config, resume="latest")
    assert (again.step, again.loss, again.checkpoint) == (6, None, first.checkpoint)


def test_a_nan_stops_with_the_last_good_checkpoint(make_config):
    config = make_config(optimizer={"kind": "adamw"}, checkpoint={"every": 2})
    with pytest.raises(StrettoError, match=r"step 5 was not taken.*nan.*step-00000004") as caught:
        stretto.train(config, task=Task(loss=_nan_after_four_steps()))
    assert caught.value.exit_code == 1
    assert open_checkpoint(config.folder).manifest.progress.step == 4


def _nan_after_four_steps():
    calls = []

    def loss(hidden, head, batch):
        calls.append(1)
        value = linear_cross_entropy(hidden, head, batch.labels)
        return value * torch.nan if len(calls) > 8 else value

    return loss


def test_a_spike_stops(make_config):
    def loss(hidden, head, batch):
        calls.append(1)
        return linear_cross_entropy(hidden, head, batch.labels) * (10 if len(calls) > 24 else 1)

    calls = []
    config = make_config(train={"steps": 20})
    with pytest.raises(StrettoError, match=r"step 13 was not taken.*times the recent.*no checkpoint yet"):
        stretto.train(config, task=Task(loss=loss))


def test_a_signal_saves_and_says_how_to_go_on(make_config):
    def after_three(event):
        if isinstance(event, Stepped) and event.step == 3:
            signal.raise_signal(signal.SIGTERM)

    config = make_config()
    with pytest.raises(StrettoError, match=r"SIGTERM after step 3 .*step-00000003.*--resume latest") as caught:
        stretto.train(config, watch=after_three)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert stretto.train(config, resume="latest").step == 6


def test_the_clock_ends_a_run(make_config):
    told = []
    config = make_config(train={"steps": 100_000, "seconds": 0.5}, lr_schedule={"kind": "linear"})
    outcome = stretto.train(config, watch=told.append)
    steps = [e for e in told if isinstance(e, Stepped)]
    assert 0.5 <= outcome.elapsed_s < 3
    assert outcome.step == len(steps) < 100_000
    assert steps[-1].lr_factor < 0.5 < max(e.lr_factor for e in steps)


def test_a_task_is_three_functions(make_config, small_data):
    """Predict the token itself instead of the next: learned at once, and measured under its own name."""

    def prepare(batch, row):
        rows.append(row)
        return PackedBatch(batch.tokens, batch.positions, batch.tokens.copy(), batch.offsets)

    def loss(hidden, head, batch):
        assert (batch.labels != NO_LABEL).all()
        return 2 * linear_cross_entropy(hidden, head, batch.labels)

    def measure(hidden, head, batch):
        right = (hidden @ head.T).argmax(1) == batch.labels
        return {**next_token_measures(hidden, head, batch), "accuracy": float(right.sum())}

    rows = []
    config = make_config(
        train={"steps": 150},
        optimizer={"kind": "muon", "lr": 0.05, "adamw": {"lr": 0.03}},
        validation={"path": small_data / "validation", "every": 150, "rows": 4},
    )
    outcome = stretto.train(config, task=Task(prepare, loss, measure))
    assert rows[:5] == [0, 2, 0, 2, 4]  # two validation microbatches, then steps of two microbatches
    assert outcome.measures["accuracy"] > 0.9
    lines = _metrics(config.folder)
    assert lines[0]["loss"] == pytest.approx(2 * 6.24, rel=0.05)


def test_a_profile_is_a_trace(make_config):
    config = make_config(train={"stages": 2})
    stretto.train(config, profile=True)
    trace = Trace.model_validate_json((config.folder / "trace.json").read_text())
    names = {span.what for span in trace.spans}
    assert {"gather0", "F0.0", "F1.1", "B1.0", "B0.1", "reduce0", "update1"} <= names
    assert sum(span.what == "update0" for span in trace.spans) == 3


def test_tensorboard_events(make_config):
    pytest.importorskip("tensorboard")
    config = make_config(metrics={"tensorboard": True, "peak_flops": 1e11})
    stretto.train(config)
    assert list((config.folder / "tensorboard").glob("events.*"))


def test_checkpointing_activations_changes_no_bit(make_config, tmp_path):
    folders = []
    for name, on in (("kept", False), ("again", True)):
        config = make_config(folder=tmp_path / name, train={"activation_checkpointing": on})
        stretto.train(config)
        folders.append(config.folder)
    _same_tensors(*folders)


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"layout": {"tensor": 2}}, "layout.tensor is 2"),
        ({"train": {"stages": 3}}, "train.stages is 3"),
        ({"train": {"rows": 4096, "microbatch_rows": 2}}, "4096"),
        ({"validation": {"path": "nowhere"}}, "nowhere"),
    ],
)
def test_wrong_runs_are_one_sentence(make_config, tables, sentence):
    config = make_config(**tables)
    with pytest.raises(UserError, match=sentence) as caught:
        stretto.train(config)
    assert "\n" not in str(caught.value)
    assert not (config.folder / "config.json").exists()


def test_resuming_with_another_optimizer_is_refused(make_config):
    stretto.train(make_config(optimizer={"kind": "muon"}))
    with pytest.raises(UserError, match="state of another optimizer"):
        stretto.train(make_config(optimizer={"kind": "adamw"}, train={"steps": 9}), resume="latest")


def test_another_run_starts_from_a_checkpoint_and_saves_its_own(make_config, tmp_path):
    first = stretto.train(make_config(folder=tmp_path / "first"))
    second = stretto.train(make_config(folder=tmp_path / "second"), resume=str(first.checkpoint))
    assert second.checkpoint == tmp_path / "second" / "checkpoints" / "step-00000006"
    _same_tensors(first.checkpoint, second.checkpoint)


@pytest.mark.parametrize("resume", ["latest", "nowhere"])
def test_nothing_to_resume(make_config, resume):
    with pytest.raises(UserError, match=r"resume|nowhere"):
        stretto.train(make_config(), resume=resume)
