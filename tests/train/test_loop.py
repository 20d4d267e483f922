"""A whole run on one rank: what it writes, how it goes on, and how it stops."""

import json
import shutil
import signal
from contextlib import ExitStack

import pytest
import torch

import stretto
from stretto.checkpoint.reading import open_checkpoint
from stretto.data.build import build
from stretto.data.library import library_files
from stretto.ops.cross_entropy import linear_cross_entropy
from stretto.spec.batch import NO_LABEL, PackedBatch
from stretto.spec.errors import StrettoError, UserError
from stretto.spec.trace import Trace
from stretto.train.events import Ended, Saved, Started, Stepped, Validated, ignore
from stretto.train.opening import open_loop
from stretto.train.stopping import StopRequest
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
    assert [type(e) for e in told if not isinstance(e, Stepped)] == [Started] + [Validated, Saved] * 3 + [Ended]
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

    def prepare(batch, number):
        rows.append(number)
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
    assert rows[:8] == [0, 1, 2, 3, 0, 1, 2, 3]  # validation rows, then the first step's
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
        ({"validation": {"path": "nowhere"}}, "validation.path: nowhere"),
        ({"data": {"sources": [{"path": "nowhere"}]}}, "data.sources: nowhere"),
        ({"model": {"width": 200_000, "feed_forward": 200_000}}, r"need .* GiB .* which has"),
        (
            {"layout": {"data": 2000}, "train": {"rows": 2000, "microbatch_rows": 1}},
            "layout.data is 2000; expected at most",
        ),
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


def test_a_run_that_died_before_its_first_checkpoint_starts_again(make_config):
    config = make_config()
    with pytest.raises(ZeroDivisionError):
        stretto.train(config, watch=_fail_at_step(3))
    with pytest.raises(UserError, match="holds a run already"):
        stretto.train(config)
    assert stretto.train(config, resume="latest").step == 6
    assert [line["step"] for line in _metrics(config.folder)] == [1, 2, 3, 4, 5, 6]


def _fail_at_step(step):
    def watch(event):
        if isinstance(event, Stepped) and event.step == step:
            raise ZeroDivisionError

    return watch


def test_resuming_elsewhere_leaves_another_run_alone(make_config, tmp_path):
    first = stretto.train(make_config(folder=tmp_path / "first"))
    second = make_config(folder=tmp_path / "second")
    stretto.train(second)
    before = (second.folder / "config.json").read_bytes(), _metrics(second.folder)
    with pytest.raises(UserError, match="holds a run already"):
        stretto.train(make_config(folder=second.folder, train={"steps": 9}), resume=str(first.checkpoint))
    assert ((second.folder / "config.json").read_bytes(), _metrics(second.folder)) == before


def test_a_refused_resume_changes_nothing(make_config):
    config = make_config(optimizer={"kind": "muon"})
    stretto.train(config)
    before = (config.folder / "config.json").read_bytes()
    with pytest.raises(UserError, match="another optimizer"):
        stretto.train(make_config(optimizer={"kind": "adamw"}), resume="latest")
    assert (config.folder / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("tables", "field"), [({"train": {"rows": 8}}, "train.rows is 8"), ({"data": {"seed": 1}}, "data.seed is 1")]
)
def test_resuming_with_other_rows_is_refused(make_config, tables, field):
    stretto.train(make_config())
    with pytest.raises(UserError, match=field):
        stretto.train(make_config(**tables), resume="latest")


def test_another_tokenizer_is_refused(make_config, tmp_path):
    other = tmp_path / "other"
    build(library_files()[30:60], other, vocabulary=512, validation=0.2)
    stretto.train(make_config())
    with pytest.raises(UserError, match="tokenizer"):
        stretto.train(make_config(data={"sources": [{"path": other / "train"}]}), resume="latest")
    with pytest.raises(UserError, match=r"validation.path.*tokenizer"):
        stretto.train(make_config(folder=tmp_path / "new", validation={"path": other / "validation"}))


def test_prepare_sees_rows_whatever_the_microbatches(make_config, tmp_path):
    def prepare(row, number):
        labels = row.labels.copy()
        labels[number % 5 :: 5] = NO_LABEL
        return PackedBatch(row.tokens, row.positions, labels, row.offsets)

    losses = []
    for rows in (1, 2, 4):
        train = {"microbatch_rows": rows, "precision": "float64"}
        config = make_config(folder=tmp_path / str(rows), train=train)
        stretto.train(config, task=Task(prepare=prepare))
        losses.append([line["loss"] for line in _metrics(config.folder)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert losses[0] == pytest.approx(losses[2], rel=1e-12)


def test_prepare_must_keep_sizes(make_config):
    def prepare(row, number):
        return PackedBatch(row.tokens[:-1], row.positions, row.labels, row.offsets)

    with pytest.raises(UserError, match="expected 64 each"):
        stretto.train(make_config(), task=Task(prepare=prepare))


def test_every_step_has_a_rate(make_config):
    for kind in ("linear", "cosine", "wsd", "constant"):
        told = []
        folder = make_config().folder / kind
        config = make_config(folder=folder, train={"steps": 1}, lr_schedule={"kind": kind, "warmup": 0.02})
        stretto.train(config, watch=told.append)
        assert [e.lr_factor > 0.2 for e in told if isinstance(e, Stepped)] == [True], kind


def test_the_last_event_is_the_end(make_config):
    told = []
    stretto.train(make_config(), watch=told.append)
    assert isinstance(told[-1], Ended)
    with pytest.raises(StrettoError):
        stretto.train(make_config(), watch=told.append)
    assert isinstance(told[-1], Ended)


def test_resuming_two_ranks_changes_no_bit(make_config, tmp_path, ranks):
    tables = {
        "model": {"tied": True},
        "optimizer": {"kind": "muon"},
        "layout": {"data": 2},
        "checkpoint": {"every": 3, "keep": 5},
        "train": {"precision": "bfloat16", "stages": 2, "microbatch_rows": 1},
    }
    straight, halves = (make_config(folder=tmp_path / name, **tables) for name in ("straight", "halves"))
    ranks.run(2, _run_on, straight)
    shutil.copytree(straight.folder, halves.folder)
    shutil.rmtree(halves.folder / "checkpoints" / "step-00000006")
    ranks.run(2, _run_on, halves, "latest")
    _same_tensors(straight.folder, halves.folder)


def _run_on(world, config, resume=None):
    with ExitStack() as stack:
        open_loop(config, Task(), resume, False, world, ignore, StopRequest(), stack).run()


def test_a_data_set_without_its_tokenizer(make_config, small_data, tmp_path):
    broken = shutil.copytree(small_data / "train", tmp_path / "broken")
    (broken / "tokenizer.json").unlink()
    config = make_config(data={"sources": [{"path": broken}]})
    with pytest.raises(UserError, match=r"tokenizer.json cannot be read"):
        stretto.train(config)
    assert not config.folder.exists()
