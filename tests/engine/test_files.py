"""Files of prompts and results: every wrong line has its sentence, and a killed job goes on where it was."""

import json
from pathlib import Path

import pytest

from stretto.engine import files
from stretto.spec.errors import StrettoError, UserError
from stretto.spec.request import Completion, Request, Sampling


def _write(tmp_path, *lines):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return path


def test_prompts(tmp_path):
    path = _write(
        tmp_path,
        '\ufeff{"prompt": "a\u2028b", "id": "first", "temperature": 0}\r',
        "",
        '{"messages": [{"role": "user", "content": "é"}], "stop": ["x"]}',
    )
    first, second = files.read_prompts(path)
    assert (first.id, first.line.prompt) == ("first", "a\u2028b")
    assert (second.id, second.where) == ("3", f"{path} line 3")
    defaults = Sampling(temperature=1.5, seed=8)
    assert first.line.sampling(defaults) == Sampling(temperature=0, seed=8)
    assert second.line.sampling(defaults) == Sampling(temperature=1.5, seed=8, stop=("x",))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"prompt": "a", "temprature": 1}', "temprature is not a known field (did you mean 'temperature'?)"),
        ('{"prompt": "a", "top_p": 0}', "top_p is 0; expected greater than 0"),
        ('{"prompt": "a", "messages": [{"role": "user", "content": ""}]}', "expected either prompt or messages"),
        ("{}", "expected either prompt or messages"),
        ('{"messages": []}', "messages is empty"),
        ('{"messages": [{"role": "user"}]}', "messages.0.content is missing"),
        ('{"messages": [{"role": "user", "content": "", "name": "x"}]}', "messages.0.name is not a known field"),
        ('{"prompt": "a", "id": 5}', "id is 5; expected text"),
        ('{"prompt": "a", "id": "\\ud800"}', "expected Unicode without surrogates"),
        ('{"prompt": "a", "stop": [""]}', "stop holds an empty text"),
        ('{"prompt": "a"', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "is list; expected a JSON object"),
        ('{"prompt": "a", "id": "1"}', "id is '1', as in"),
        ("\ud800", "is not UTF-8 at byte 16"),
    ],
)
def test_wrong_lines(tmp_path, line, sentence):
    path = _write(tmp_path, '{"prompt": "a"}', line)
    with pytest.raises(UserError) as caught:
        files.read_prompts(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "line 2" in str(caught.value) or "byte" in str(caught.value)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(UserError, match="cannot be read; expected a file of prompts: no such file"):
        files.read_prompts(tmp_path / "none")
    with pytest.raises(UserError, match="holds no prompt"):
        files.read_prompts(_write(tmp_path, " ", ""))


def _request(name, **fields):
    return Request(name, (1, 2, 3), Sampling(**fields))


def _entry(request, text="été\u2028"):
    done = Completion(request.id, text, "stop", 3, (4, 5), (-0.5, -0.25))
    return files.record(done, request, logprobs=False)


def test_records_hold_what_was_asked_for():
    request = _request("a")
    entry = _entry(request)
    assert list(entry) == ["id", "text", "finish", "prompt_tokens", "tokens", "request"]
    done = Completion("a", "", "length", 3, (4, 5), (-0.5, -0.25))
    assert files.record(done, request, logprobs=True)["logprobs"] == (-0.5, -0.25)
    assert files.digest(request) == files.digest(_request("b"))
    assert files.digest(request) != files.digest(_request("a", seed=1))
    assert files.digest(request) != files.digest(Request("a", (1, 2, 4), Sampling()))


@pytest.mark.parametrize("torn", range(0, 60, 7))
def test_a_torn_last_line_is_done_again(tmp_path, torn):
    path = tmp_path / "results.jsonl"
    requests = [_request(name) for name in "abc"]
    with files.appending(path) as output:
        for request in requests[:2]:
            files.append(output, _entry(request))
    whole = path.read_bytes()
    path.write_bytes(whole + json.dumps(_entry(requests[2])).encode()[:torn])
    done = files.finished(path)
    assert path.read_bytes() == whole
    assert files.left_to_do(requests, done, path) == requests[2:]
    with files.appending(path) as output:
        files.append(output, _entry(requests[2]))
    assert list(files.finished(path)) == ["a", "b", "c"]
    assert path.read_bytes().startswith(whole)


def test_results_of_something_else(tmp_path):
    path = tmp_path / "results.jsonl"
    with files.appending(path) as output:
        files.append(output, _entry(_request("a")))
    done = files.finished(path)
    with pytest.raises(UserError, match="has a result for id 'a', which is not among the prompts"):
        files.left_to_do([_request("b")], done, path)
    with pytest.raises(UserError, match="id 'a' was made from another prompt or with other settings"):
        files.left_to_do([_request("a", temperature=0)], done, path)
    for line in ('{"id": "a"}', '{"prompt": "a"}', "7", "{"):
        path.write_text(line + "\n")
        with pytest.raises(UserError, match="line 1"):
            files.finished(path)


def test_places_that_cannot_be_written(tmp_path):
    with (
        pytest.raises(UserError, match="cannot be written: no such file or directory"),
        files.appending(tmp_path / "a/b"),
    ):
        pass
    with (
        pytest.raises(StrettoError, match="no space left on device; complete lines are kept") as caught,
        files.appending(Path("/dev/full")) as output,
    ):
        files.append(output, {"id": "a"})
    assert caught.value.exit_code == 1
