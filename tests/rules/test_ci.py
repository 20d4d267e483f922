"""The tools that hold the documentation and choose the tests."""

import importlib.util
import sys

import pytest

from tests.rules.source import ROOT

PAGE = """
# A page

```bash run
echo first > note
```

```bash
exit 1
```

```python run
assert open("note").read() == "first\\n"
```
"""


def tool(name):
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page(tmp_path):
    def write(text):
        (tmp_path / "page.md").write_text(text)
        return str(tmp_path / "page.md")

    return write


def test_marked_blocks_run_in_order_in_one_folder(page, capsys):
    assert tool("docs").main([page(PAGE)]) == 0
    said = capsys.readouterr().out
    assert "page.md:5: good" in said
    assert "page.md:13: good" in said
    assert "2 blocks of 1 pages ran" in said


def test_a_block_that_fails_is_shown_with_its_output(page, capsys):
    assert tool("docs").main([page("```bash run\necho here; false\necho not here > /dev/stderr\n```\n")]) == 1
    said = capsys.readouterr().out
    assert "page.md:2: exit code 1" in said
    assert said.endswith("printed:\nhere\n\n")


def test_what_a_page_says_is_printed_must_be(page, capsys):
    said = "```bash run\nprintf 'a  1\\nb 2\\nc 3\\n'\n```\n\nIt prints:\n\n```text printed\n{}```\n"
    docs = tool("docs")
    assert docs.main([page(said.format("a 1\n...\nc   3\n"))]) == 0
    for wrong in ("a 2\n", "b 2\na 1\n", "a 1\na 1\n"):
        capsys.readouterr()
        assert docs.main([page(said.format(wrong))]) == 1
        assert "did not print: " + wrong.splitlines()[-1] in capsys.readouterr().out


@pytest.mark.parametrize("link", ["gone.md", "page.md#gone", "#gone"])
def test_links_lead_to_pages_and_headings_that_exist(page, capsys, link):
    docs = tool("docs")
    assert (
        docs.main([page("# A page: one\n\n[here](page.md#a-page-one), `[code](x.md)` and [there](#a-page-one)\n")]) == 0
    )
    assert docs.main([page(f"# A page\n\n[away]({link})\n")]) == 1
    assert f"the link {link} leads nowhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("src/stretto/spec/run/config.py", ["tests/spec"]),
        ("src/stretto/cli/main.py", ["tests/cli"]),
        ("tests/count/test_bytes.py", ["tests/count"]),
        ("docs/tour.md", []),
        ("src/stretto/no_such_room/a.py", []),
    ],
)
def test_a_file_leads_to_its_rooms_tests(name, folders):
    assert tool("changed").tests_of(name) == folders


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["src/stretto/spec/shape.py", "README.md"], "tests/rules tests/spec"),
        (["README.md"], "tests/rules"),
        ([], "tests/rules tests/train"),
        (["pyproject.toml"], "tests"),
        ([f"src/stretto/{room}/a.py" for room in ("spec", "count", "cli", "text", "data", "ops", "models")], "tests"),
    ],
)
def test_what_changed_decides_what_is_tested(monkeypatch, capsys, changed, said):
    changes = tool("changed")
    last_commit = ["src/stretto/train/step.py"]
    monkeypatch.setattr(changes, "changed_files", lambda since: changed if since == "HEAD" else last_commit)
    assert changes.main() == 0
    assert capsys.readouterr().out == f"{said}\n"
