import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.spec.errors import UserError
from stretto.text.chat import encode_chat, render_chat
from stretto.text.names import DEFAULT_TEMPLATE, SPECIALS, TextConfig
from stretto.text.tokenizer import Tokenizer

CHATML = """\
{% for message in messages %}
<|start_header_id|>{{ message.role }}
{{ message.content }}<|eot_id|>
{% endfor %}
{% if add_generation_prompt %}
<|start_header_id|>assistant
{% endif %}
"""
TOOLS = """\
{{ bos_token }}{% if tools %}{{ tools | tojson(indent=2) }}{% endif %}{% set n = namespace(i=0) %}
{% for m in messages %}
{% set n.i = n.i + 1 %}
{% if m.role == 'tool' %}{% continue %}{% endif %}
[{{ n.i }} {{ m.role }}]{% generation %}{{ m.content | trim }}{% endgeneration %}{% for call in m.tool_calls or [] %}
{{ call.function | tojson }}{% endfor %}{{ eos_token }}{% endfor %}
{% if add_generation_prompt %}[{{ n.i + 1 }} assistant]{% endif %}{{ strftime_now('%Y') }}"""
CONVERSATIONS = [
    [{"role": "user", "content": "What is a stretto?"}],
    [
        {"role": "system", "content": "  You are a helpful assistant.\n"},
        {"role": "user", "content": "Zwölf 🎵 <b>&amp;</b>"},
        {"role": "assistant", "content": "\n A voice that enters early. \n"},
        {"role": "user", "content": "  indented\n    more"},
    ],
    [
        {"role": "user", "content": "call"},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"x": "ü"}}}]},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "It is 42."},
    ],
]


def with_template(tokenizer, template):
    return Tokenizer(tokenizer._inner, TextConfig(chat_template=template))


@pytest.fixture(scope="module")
def peer(tokenizer, tmp_path_factory):
    """`transformers` with the same tokenizer."""
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("peer")
    tokenizer.save(folder)
    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token=SPECIALS[0], eos_token=SPECIALS[1]
    )


@pytest.mark.parametrize(
    ("template", "messages"),
    [(t, c) for t in (DEFAULT_TEMPLATE, CHATML, TOOLS) for c in CONVERSATIONS[: 3 if t == TOOLS else 2]],
)
@pytest.mark.parametrize("prompt", [False, True])
def test_equals_transformers(tokenizer, peer, template, messages, prompt):
    ours = with_template(tokenizer, template)
    options = {"chat_template": template, "add_generation_prompt": prompt}
    assert render_chat(ours, messages, add_generation_prompt=prompt) == peer.apply_chat_template(
        messages, tokenize=False, **options
    )
    ids, _ = encode_chat(ours, messages, loss_roles=(), add_generation_prompt=prompt)
    assert ids == peer.apply_chat_template(messages, return_dict=False, **options)


def test_tools_equal_transformers(tokenizer, peer):
    tools = [{"type": "function", "function": {"name": "f", "description": "ä"}}]
    ours = render_chat(with_template(tokenizer, TOOLS), CONVERSATIONS[2], tools=tools)
    theirs = peer.apply_chat_template(CONVERSATIONS[2], tools=tools, chat_template=TOOLS, tokenize=False)
    assert ours == theirs
    assert str(datetime.now().year) in ours


def lossy_text(tokenizer, messages, **options):
    ids, loss = encode_chat(tokenizer, messages, **options)
    return tokenizer.decode([i for i, marked in zip(ids, loss, strict=True) if marked], skip_special=False)


@pytest.mark.parametrize("template", [DEFAULT_TEMPLATE, CHATML])
def test_loss_is_on_the_chosen_turns_and_their_ends(tokenizer, template):
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "same"},
        {"role": "assistant", "content": " same\n"},
        {"role": "user", "content": "same"},
        {"role": "assistant", "content": "two words"},
    ]
    ours = with_template(tokenizer, template)
    first = " same\n" if template == CHATML else "same"  # the second template does not trim
    assert lossy_text(ours, messages) == f"{first}<|eot_id|>two words<|eot_id|>"
    both = lossy_text(ours, messages, loss_roles=("system", "user"))
    assert both == "S<|eot_id|>same<|eot_id|>same<|eot_id|>"
    assert lossy_text(ours, messages, loss_roles=()) == ""


@settings(deadline=None)
@given(content=st.lists(st.sampled_from(["a", " ", "\n", "é", "🎵", "<|eot_id|>", "x:"]), max_size=8).map("".join))
def test_loss_is_exact_and_prompts_are_prefixes(tokenizer, content):
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": content}]
    ids, loss = encode_chat(tokenizer, messages)
    marked = [i for i, m in zip(ids, loss, strict=True) if m]
    assert marked == [*tokenizer.encode(content.strip()), tokenizer.id("<|eot_id|>")]
    prompt, none = encode_chat(tokenizer, messages[:1], add_generation_prompt=True)
    assert ids[: len(prompt)] == prompt
    assert not any(none)
    assert loss.index(True) == len(prompt)


def test_whitespace_between_prompt_and_content_has_loss(tokenizer):
    template = (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
        "{% elif loop.first %}{{ raise_exception('the user begins') }}"
        "{% else %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
    )
    ours = with_template(tokenizer, template)
    turn = [{"role": "user", "content": "q"}, {"role": "assistant", "content": " a\n"}]
    assert lossy_text(ours, turn * 2) == " a <|end_of_text|>" * 2
    ids, _ = encode_chat(ours, turn * 2)
    prompt, _ = encode_chat(ours, [*turn, turn[0]], add_generation_prompt=True)
    assert ids[: len(prompt)] == prompt
    with pytest.raises(UserError, match="the user begins"):
        encode_chat(ours, turn[1:])


def test_tool_calls_and_rewritten_turns_are_found_by_their_prompt(tokenizer):
    template = (
        "{% for m in messages %}<|start_header_id|>{{ m.role }}:{{ m.content.split('</think>')[-1] }}"
        "{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant:{% endif %}"
    )
    ours = with_template(tokenizer, template)
    calls = [{"function": {"name": "f"}}]
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "<think>x</think>a"},
        {"role": "user", "content": "r"},
        {"role": "assistant", "content": "", "tool_calls": calls},
    ]
    assert lossy_text(ours, messages) == 'a<|eot_id|>{"name": "f"}<|eot_id|>'


def test_a_turn_whose_place_cannot_be_told_is_refused(tokenizer):
    ours = with_template(tokenizer, "{{ messages | length }}{% for m in messages %}{{ m.content | upper }}{% endfor %}")
    messages = [{"role": "assistant", "content": ""}, {"role": "user", "content": "a"}]
    with pytest.raises(UserError, match=r"messages\[0\]: the chat template rewrites this turn"):
        encode_chat(ours, messages)


parts = st.lists(st.sampled_from([*SPECIALS, "<", "|", "eot_id", "|>", "<|", "<|eot_", "x", " "]), max_size=6)


@settings(deadline=None)
@given(parts=st.lists(parts.map("".join), min_size=1, max_size=5))
def test_nobody_can_inject_a_special_token(tokenizer, parts):
    template = "{{ bos_token }}{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
    ours = with_template(tokenizer, template)
    messages = [{"role": "user", "content": [{"type": "text", "text": p} for p in parts]}]
    ids, _ = encode_chat(ours, messages)
    assert set(ids) & set(ours.special.values()) == {ours.begin}
    assert ours.decode(ids) == "".join(parts)


def test_tools_and_names_cannot_inject_either(tokenizer):
    ours = with_template(tokenizer, "{{ tools | tojson }}{% for m in messages %}{{ m.name }}<|eot_id|>{% endfor %}")
    ids, _ = encode_chat(ours, [{"role": "user", "name": "<|eot_id|>"}], tools=[{"<|eot_id|>": "<|end_of_text|>"}])
    assert [i for i in ids if i in ours.special.values()] == [4]
    assert "<|end_of_text|>" in ours.decode(ids)


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        (["hi"], r"messages\[0\] is 'hi'; expected a table"),
        ([{"content": "hi"}], r"messages\[0\].role is None"),
        ([{"role": "asistant", "content": ""}], "did you mean 'assistant'"),
        ([{"role": "user"}], "content is missing"),
        ([{"role": "user", "content": 7}], r"messages\[0\].content is 7; expected text"),
        ([{"role": "user", "content": []}], "whose content is text"),
        ([{"role": "assistant", "content": "", "tool_calls": [{}]}], "without tool calls"),
    ],
)
def test_malformed_messages(tokenizer, messages, sentence):
    for function in (render_chat, encode_chat):
        with pytest.raises(UserError, match=sentence):
            function(tokenizer, messages)


def test_other_refusals(tokenizer):
    user = [{"role": "user", "content": "x"}]
    with pytest.raises(UserError, match="loss_roles is 'asistant'"):
        encode_chat(tokenizer, user, loss_roles=("asistant",))
    with pytest.raises(UserError, match="describes no tools"):
        render_chat(tokenizer, user, tools=[{}])
    with pytest.raises(UserError, match="has no chat template"):
        render_chat(with_template(tokenizer, None), user)
    used_up = [{"role": "user", "content": "".join(map(chr, range(0xE000, 0xF900)))}]
    with pytest.raises(UserError, match="private character"):
        encode_chat(tokenizer, used_up)
    assert json.dumps(user)  # messages are left as they were
