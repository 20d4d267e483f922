"""`stretto train` as a process: ranks that it starts, signals, kills, torchrun, and wrong input."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stretto
from stretto.checkpoint.folders import complete
from stretto.checkpoint.verifying import verify
from stretto.cli.main import main
from stretto.spec.run.config import RunConfig

STRETTO = [sys.executable, "-m", "stretto"]


def run_file(config: RunConfig, path: Path) -> Path:
    """Write a configuration as a run file."""
    lines = [f'folder = "{config.folder}"']
    for name, table in config.model_dump(mode="json", exclude_none=True).items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *_fields(table)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _fields(table):
    for key, value in table.items():
        yield f"{key} = {_toml(value)}"


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(_fields(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _run(*words):
    command = [*STRETTO, *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)


def _refused(capsys, *words):
    """The one sentence that a command ends with, in this process."""
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    return said


def _losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture
def two_ranks(make_config, tmp_path):
    """A run file for two ranks in float64."""

    def make(name, **train):
        config = make_config(
            folder=tmp_path / name, layout={"data": 2}, train={"precision": "float64", "microbatch_rows": 1, **train}
        )
        return config, run_file(config, tmp_path / f"{name}.toml")

    return make


def _start(path, *words):
    command = [*STRETTO, "train", str(path), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _wait_for_step(config, step, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        path = config.folder / "metrics.jsonl"
        if path.exists() and len(path.read_text().splitlines()) >= step:
            return
        time.sleep(0.05)
    pytest.fail(f"no step {step}: {process.communicate(timeout=5)}")


def test_two_ranks_are_one(two_ranks, make_config, tmp_path):
    config, path = two_ranks("two")
    done = _run("train", path, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["step"] == 6
    one = make_config(folder=tmp_path / "one", train={"precision": "float64"})
    assert _run("train", run_file(one, tmp_path / "one.toml")).returncode == 0
    assert _losses(config.folder) == pytest.approx(_losses(one.folder), rel=1e-12)
    assert (config.folder / "loss.png").stat().st_size > 5000


@pytest.mark.parametrize("whom", ["launcher", "everybody"])
def test_a_signal_saves_and_resumes(two_ranks, whom):
    """SIGTERM to the launcher, as a cluster sends it; SIGINT to all, as Ctrl-C does."""
    config, path = two_ranks("stopped", steps=400)
    process = _start(path)
    _wait_for_step(config, 3, process)
    if whom == "launcher":
        process.send_signal(signal.SIGTERM)
    else:
        os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + (signal.SIGTERM if whom == "launcher" else signal.SIGINT), said
    assert "--resume latest" in said
    assert "Traceback" not in said
    (saved,) = complete(config.folder)
    assert not verify(saved).problems
    steps = len(_losses(config.folder))
    again = _run("train", path, "--resume", "latest", "--train.steps", steps + 2)
    assert again.returncode == 0, again.stderr
    assert len(_losses(config.folder)) == steps + 2


@pytest.mark.parametrize("after_s", [1.0, 2.5])
def test_an_early_ctrl_c_is_one_sentence(two_ranks, after_s):
    """While ranks still load there is nothing to save, and nothing to show but that it stopped."""
    _, path = two_ranks("early", steps=4000)
    process = _start(path)
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Traceback" not in said
    assert len([line for line in said.splitlines() if "stopped" in line]) <= 1


def test_kill_9_leaves_the_last_checkpoint(two_ranks):
    config, path = two_ranks("killed", steps=4000)
    process = _start(path, "--checkpoint.every", "3")
    _wait_for_step(config, 8, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    left = complete(config.folder)
    assert left
    assert not verify(left[-1]).problems
    again = _run("train", path, "--resume", "latest", "--train.steps", int(left[-1].name[5:]) + 1)
    assert again.returncode == 0, again.stderr


def test_a_killed_rank_is_named(two_ranks):
    config, path = two_ranks("lost", steps=4000)
    process = _start(path)
    _wait_for_step(config, 3, process)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "spawn_main"], check=True, capture_output=True, text=True
    )
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was killed by SIGKILL" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_under_torchrun(two_ranks):
    config, path = two_ranks("torchrun")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    done = subprocess.run(
        [*command, *STRETTO, "train", str(path)], check=False, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert len(_losses(config.folder)) == 6
    assert done.stdout.count("checkpoint:") == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--train.stepz", "3"], "train.steps"),
        (["--train.steps", "-3"], "train.steps is -3"),
        (["--train.steps", "many"], "train.steps is 'many'; expected an integer"),
        (["--layout.data", "3"], "train.rows is 4"),
        (["--layout.tensor", "2"], "layout.tensor is 2"),
        (["--data.sources", "[{path = 'nowhere'}]"], "nowhere"),
        (["--model.kv_heads", "3"], "kv_heads is 3"),
        (["--train.device", "cuda"], "train.device is 'cuda'"),
        (["--resume", "latest"], "no complete checkpoint"),
        (["--data.tokens", "100000", "--layout.data", "2", "--train.microbatch_rows", "1"], "row(s)"),
    ],
)
def test_wrong_input_is_one_sentence(make_config, tmp_path, capsys, flags, sentence):
    path = run_file(make_config(), tmp_path / "run.toml")
    assert sentence in _refused(capsys, "train", path, *flags)


@pytest.mark.parametrize(
    ("text", "sentence"), [(None, "does not exist"), ("steps = ", "not valid TOML"), ("", "folder is missing")]
)
def test_wrong_files_are_one_sentence(tmp_path, capsys, text, sentence):
    path = tmp_path / "run.toml"
    if text is not None:
        path.write_text(text)
    assert sentence in _refused(capsys, "train", path)


def test_evaluate(make_config, small_data, tmp_path, capsys):
    config = make_config()
    stretto.train(config)
    held_out = small_data / "validation"
    assert main(["evaluate", str(config.folder), str(held_out), "--json", "--precision", "float64"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 3 < found["bits_per_byte"] < 8
    bits = found["loss"] * found["tokens"] / math.log(2)
    assert found["bits_per_byte"] == pytest.approx(bits / found["text_bytes"])
    assert "is no data set" in _refused(capsys, "evaluate", config.folder, tmp_path)
    assert "checkpoint" in _refused(capsys, "evaluate", tmp_path, held_out)
    assert "at most the model's context, 64" in _refused(capsys, "evaluate", config.folder, held_out, "--tokens", "99")
    assert "overlap is 64" in _refused(capsys, "evaluate", config.folder, held_out, "--overlap", "64")
