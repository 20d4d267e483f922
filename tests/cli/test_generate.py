"""`stretto generate`: text on the screen, records, files that go on, and a sentence for every mistake."""

import json

import pytest
import torch

from stretto.cli.main import main
from stretto.engine import files
from stretto.testing.small import small_checkpoint, small_model, small_shape, small_tokenizer


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    tokenizer = small_tokenizer()
    shape = small_shape(tokenizer.vocabulary)
    small_checkpoint(folder, small_model(shape), shape, tokenizer)
    return folder


def _run(capsys, *words):
    code = main(["generate", *map(str, words), "--device", "cpu", "--threads", "1"])
    out, err = capsys.readouterr()
    return code, out, err


def _records(capsys, *words):
    code, out, err = _run(capsys, *words, "--json", "--logprobs")
    assert code == 0, err
    return json.loads(out)["results"]


def test_prompts_on_the_screen(run_folder, capsys):
    settings = (run_folder, "--max-tokens", 12, "--seed", 5, "--top-k", 50)
    first, second = _records(capsys, *settings, "--prompt", "def voice", "--prompt", "theme")
    code, out, _ = _run(capsys, *settings, "--prompt", "def voice")
    assert (code, out) == (0, f"def voice{first['text']}\n")
    code, out, _ = _run(capsys, *settings, "--prompt", "def voice", "--prompt", "theme")
    assert (code, out) == (0, f"[1] def voice{first['text']}\n[2] theme{second['text']}\n")
    assert (first["id"], first["finish"], len(first["tokens"])) == ("1", "length", 12)
    assert len(first["logprobs"]) == 12
    code, out, _ = _run(capsys, *settings, "--prompt", "def voice", "--logprobs")
    assert code == 0
    assert f"{first['logprobs'][3]:.4f}" in out


def test_sampling_flags_are_obeyed(run_folder, capsys):
    (greedy,) = _records(capsys, run_folder, "--prompt", "x", "--temperature", 0, "--max-tokens", 9)
    (narrow,) = _records(capsys, run_folder, "--prompt", "x", "--top-k", 1, "--max-tokens", 9)
    (likely,) = _records(capsys, run_folder, "--prompt", "x", "--top-p", 1e-9, "--max-tokens", 9)
    (wide,) = _records(capsys, run_folder, "--prompt", "x", "--temperature", 2, "--max-tokens", 9)
    assert greedy["tokens"] == narrow["tokens"] == likely["tokens"] != wide["tokens"]
    (other,) = _records(capsys, run_folder, "--prompt", "x", "--temperature", 2, "--max-tokens", 9, "--seed", 1)
    assert other["tokens"] != wide["tokens"]
    stop = wide["text"][2]
    (stopped,) = _records(
        capsys, run_folder, "--prompt", "x", "--temperature", 2, "--max-tokens", 9, "--stop", stop, "--stop", "never"
    )
    assert stopped["text"] == wide["text"][: wide["text"].index(stop)]
    assert stopped["finish"] == "stop"


def _prompts(path, count=6):
    lines = [{"prompt": f"voice {i}", "id": f"p{i}", "max_tokens": 3 + i} for i in range(count - 1)]
    lines.append({"messages": [{"role": "user", "content": "theme"}], "temperature": 0.0})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_file_that_was_interrupted_goes_on(run_folder, tmp_path, capsys):
    source, whole, part = (tmp_path / name for name in ("in.jsonl", "whole.jsonl", "part.jsonl"))
    _prompts(source)
    words = (run_folder, "--input", source, "--max-batch", 2, "--max-tokens", 5)
    code, out, err = _run(capsys, *words, "--output", whole, "--logprobs")
    assert code == 0, err
    assert "6 results" in out
    entries = [json.loads(line) for line in whole.read_text().splitlines()]
    assert sorted(entry["id"] for entry in entries) == ["6", "p0", "p1", "p2", "p3", "p4"]
    assert len(next(entry for entry in entries if entry["id"] == "p4")["logprobs"]) <= 7
    text = whole.read_bytes()
    part.write_bytes(text[: text.index(b"\n", len(text) // 2) + 9])
    kept = part.read_bytes().count(b"\n")
    code, out, _ = _run(capsys, *words, "--output", part, "--resume", "--json", "--logprobs")
    assert code == 0
    summary = json.loads(out)
    assert (summary["kept"], summary["written"]) == (kept, 6 - kept)
    again = [json.loads(line) for line in part.read_text().splitlines()]
    assert sorted(entry["id"] for entry in again) == sorted(entry["id"] for entry in entries)
    for entry in again:
        same = next(e for e in entries if e["id"] == entry["id"])
        assert {**entry, "logprobs": 0} == {**same, "logprobs": 0}
        assert entry["logprobs"] == pytest.approx(same["logprobs"], abs=1e-4)
    code, _, err = _run(capsys, *words, "--output", part)
    assert (code, "exists and is not overwritten" in err) == (2, True)
    code, _, err = _run(capsys, *words, "--output", part, "--resume", "--seed", 9)
    assert (code, "with other settings" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "needs either --prompt or --input"),
        (("--prompt", "x", "--input", "f", "--output", "g"), "needs either --prompt or --input"),
        (("--input", "f"), "--input and --output go together"),
        (("--prompt", "x", "--output", "g"), "--input and --output go together"),
        (("--prompt", "x", "--resume"), "--resume goes on with an --output"),
        (("--prompt", "x", "--temperature", "-1"), "temperature is -1.0; expected at least 0"),
        (("--prompt", "x", "--top-k", "1.5"), "top_k is '1.5'; expected an integer"),
        (("--prompt", "x", "--max-batch", "0"), "max_batch is 0; expected an integer of at least 1"),
        (("--prompt", "x", "--precision", "float3"), "precision is 'float3'; expected one of bfloat16, float32"),
        (("--prompt", "x" * 200), "tokens; expected 1 to 64, the model's context"),
        (("--prompt", "x", "--temprature", "1"), "did you mean --temperature?"),
        (("--input", "none", "--output", "g"), "none cannot be read; expected a file of prompts"),
    ],
)
def test_mistakes(run_folder, capsys, words, sentence):
    code, out, err = _run(capsys, run_folder, *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_wrong_prompt_in_a_file_is_found_before_anything_is_written(run_folder, tmp_path, capsys):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"prompt": "x"}\n' + json.dumps({"prompt": "x" * 200}) + "\n")
    code, _, err = _run(capsys, run_folder, "--input", source, "--output", output)
    assert code == 2
    assert f"{source} line 2: request 2: prompt has" in err
    assert not output.exists()


def test_no_checkpoint(tmp_path, capsys):
    code, _, err = _run(capsys, tmp_path / "none", "--prompt", "x")
    assert (code, err.count("\n")) == (2, 1)
    assert "does not exist; expected a checkpoint folder" in err


def test_ctrl_c_says_how_to_go_on(run_folder, tmp_path, capsys, monkeypatch):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    _prompts(source)
    write = files.append
    written = []

    def interrupted(file, entry):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(entry["id"])
        write(file, entry)

    words = (run_folder, "--input", source, "--output", output, "--max-batch", 2)
    with monkeypatch.context() as patched:
        patched.setattr(files, "append", interrupted)
        code, _, err = _run(capsys, *words)
    assert (code, "the same command with --resume goes on" in err) == (130, True)
    assert list(files.finished(output)) == written
    code, out, _ = _run(capsys, *words, "--resume")
    assert (code, f"4 results in {output} (2 were there)" in out) == (0, True)
    assert len(files.finished(output)) == 6
