"""`stretto chat`: a conversation with history, within the context, that Ctrl-C does not end."""

import io
import json

import pytest
import torch

from stretto.cli.chat import Conversation
from stretto.cli.main import main
from stretto.engine.engine import Engine
from stretto.spec.request import Sampling
from stretto.testing.small import small_checkpoint, small_model, small_shape, small_tokenizer

SETTINGS = ("--max-tokens", "6", "--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def engine():
    tokenizer = small_tokenizer()
    shape = small_shape(tokenizer.vocabulary)
    return Engine(small_model(shape), shape, tokenizer)


@pytest.fixture(scope="module")
def run_folder(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    small_checkpoint(folder, engine.model, engine.shape, engine.tokenizer)
    return str(folder)


def _chat(run_folder, monkeypatch, capsys, typed, *words):
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    code = main(["chat", run_folder, *SETTINGS, *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_one_reply(run_folder, monkeypatch, capsys):
    code, out, _ = _chat(run_folder, monkeypatch, capsys, "", "--prompt", "theme")
    assert code == 0
    code, text, _ = _chat(run_folder, monkeypatch, capsys, "", "--prompt", "theme", "--json")
    reply = json.loads(text)
    assert (code, out) == (0, reply["text"] + "\n")
    assert reply["finish"] == "length"
    code, told, _ = _chat(run_folder, monkeypatch, capsys, "", "--prompt", "theme", "--system", "Sing.")
    assert (code, told == out) == (0, False)


def test_a_conversation(run_folder, monkeypatch, capsys):
    code, out, err = _chat(run_folder, monkeypatch, capsys, "a\n\nb\n/reset\na\n/what\n/exit\nnever\n")
    assert code == 0
    first, second, third = [line for line in out.replace("> ", "\x00").split("\x00") if line.strip()][:3]
    assert first == third != second
    assert err.count("/reset forgets the conversation") == 2


def test_the_end_of_input_leaves(run_folder, monkeypatch, capsys):
    code, out, _ = _chat(run_folder, monkeypatch, capsys, "")
    assert (code, out) == (0, "> ")


def test_a_message_that_is_too_long_is_forgotten(run_folder, monkeypatch, capsys):
    code, _, err = _chat(run_folder, monkeypatch, capsys, "x" * 300 + "\nb\n")
    assert code == 0
    assert err.count("expected 1 to 64, the model's context") == 1


def test_oldest_turns_go_and_it_says_so(engine, capsys):
    talk = Conversation(engine, Sampling(temperature=0, max_tokens=4), "Sing.")
    for i in range(6):
        talk.reply(f"theme {i}", show=False)
    assert talk.messages[0] == {"role": "system", "content": "Sing."}
    assert [m["role"] for m in talk.messages[1:]] == ["user", "assistant"] * (len(talk.messages) // 2)
    assert talk.messages[-2]["content"] == "theme 5"
    assert "forgot the oldest 2 messages: the model's context is 64 tokens" in capsys.readouterr().err


def test_ctrl_c_stops_the_reply_and_keeps_what_came(engine, capsys, monkeypatch):
    talk = Conversation(engine, Sampling(temperature=0, max_tokens=30), None)
    shown = []

    def interrupted(text):
        shown.append(text)
        if len(shown) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("stretto.cli.chat.say", interrupted)
    text, finish = talk.reply("theme", show=True)
    assert finish is None
    assert shown[3] == " [stopped]"
    assert text == "".join(shown[:3])
    assert talk.messages[-1] == {"role": "assistant", "content": text}


def test_json_is_for_one_reply(run_folder, monkeypatch, capsys):
    code, _, err = _chat(run_folder, monkeypatch, capsys, "", "--json")
    assert (code, "expected --prompt with it" in err) == (2, True)
