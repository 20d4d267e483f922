import pytest

from stretto.spec.errors import UserError
from stretto.text.template import render_template


def test_blocks_leave_no_line_ends():
    assert render_template("  {% if x %}\nyes\n  {% endif %}\nend", {"x": 1}) == "yes\nend"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{% if %}", "refuses"),
        ("{{ messages.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
    ],
)
def test_refusals_and_failures_end_in_a_sentence(template, sentence):
    with pytest.raises(UserError, match=sentence):
        render_template(template, {"messages": []})
