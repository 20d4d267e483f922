import json

import pytest

from stretto.spec.errors import UserError
from stretto.text.names import BEGIN, DEFAULT_TEMPLATE, END, TURN_END, read_config

KNOWN = {"<s>", "</s>", "<|im_end|>", "a"}


def write(folder, name, data):
    (folder / name).write_text(data if isinstance(data, str) else json.dumps(data))


def test_own_file(tmp_path):
    write(tmp_path, "text_config.json", {"format": "stretto.text/1", "begin": "<s>", "end": "</s>", "turn_ends": []})
    found = read_config(tmp_path, KNOWN)
    assert (found.begin, found.end, found.turn_ends, found.chat_template) == ("<s>", "</s>", (), DEFAULT_TEMPLATE)


def test_hugging_face_file(tmp_path):
    write(tmp_path, "tokenizer_config.json", {"bos_token": {"content": "<s>"}, "eos_token": "</s>"})
    write(tmp_path, "chat_template.jinja", "{{ messages }}")
    found = read_config(tmp_path, KNOWN)
    assert (found.begin, found.end, found.turn_ends, found.chat_template) == (
        "<s>",
        "</s>",
        ("<|im_end|>",),
        "{{ messages }}",
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [("T", "T"), ([{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}], "D"), (None, None)],
)
def test_hugging_face_template_inside_the_configuration(tmp_path, template, expected):
    write(tmp_path, "tokenizer_config.json", {"bos_token": None, "eos_token": "</s>", "chat_template": template})
    found = read_config(tmp_path, KNOWN)
    assert found.chat_template == expected
    assert found.begin == "</s>"


def test_a_tokenizer_of_ours_needs_no_file(tmp_path):
    assert read_config(tmp_path, {BEGIN, END, TURN_END}).end == END


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("none", "", r'text_config.json does not exist; .*"begin": "<s>"'),
        ("text_config.json", "{", "is damaged at line 1"),
        ("text_config.json", {"format": "stretto.text/2"}, "expected 'stretto.text/1'"),
        ("text_config.json", {"format": "stretto.text/1", "begin": "<s>", "end": "</S>"}, "did you mean '</s>'"),
        ("text_config.json", {"format": "stretto.text/1", "stop": 1}, "stop is not a known field"),
        ("tokenizer_config.json", "[]", "expected a table"),
        ("tokenizer_config.json", "{", "cannot be read"),
        ("tokenizer_config.json", {"bos_token": "<s>"}, "eos_token is missing"),
        ("tokenizer_config.json", {"eos_token": "nothing"}, "end is 'nothing'|begin is 'nothing'"),
    ],
)
def test_wrong_files_end_in_a_sentence(tmp_path, name, data, sentence):
    write(tmp_path, name, data)
    with pytest.raises(UserError, match=sentence):
        read_config(tmp_path, KNOWN)
