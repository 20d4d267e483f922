import json
import sys

import pytest

from stretto.data.reading import Document, documents, files
from stretto.spec.errors import UserError


def read(sources, suffixes=()):
    skipped = []
    return list(documents(sources, skipped.append, suffixes)), skipped


def test_folders_are_read_to_the_bottom_in_order(tmp_path):
    for name in ("b.py", "a/c.txt", "a/b.py", ".hidden/x.py", ".x.py", "__pycache__/y.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found, skipped = read([tmp_path])
    assert [d.content for d in found] == ["b.py", "a/b.py", "a/c.txt"]
    assert found[0].name == str(tmp_path / "b.py")
    assert skipped == []
    assert [d.content for d in read([tmp_path], ["py"])[0]] == ["b.py", "a/b.py"]
    assert [d.content for d in read([tmp_path / "a" / "*.txt", tmp_path / "a"])[0]] == ["a/c.txt", "a/b.py"]


def test_line_ends_and_marks_are_kept(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r")
    assert read([tmp_path])[0][0].content == "\ufeffone\r\ntwo\r"


def test_what_cannot_be_decoded_is_reported_with_its_line(tmp_path):
    (tmp_path / "a.py").write_bytes(b"one\ntwo \xe9\n")
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    (tmp_path / "c.txt").write_bytes(b"")
    found, skipped = read([tmp_path])
    assert found == []
    assert [(s.path.rsplit("/")[-1], s.line, s.why) for s in skipped] == [
        ("a.py", 2, "not UTF-8: byte 0xe9"),
        ("b.bin", None, "not text: it has a zero byte"),
        ("c.txt", None, "empty"),
    ]
    assert skipped[0].kind == "not UTF-8"


def test_json_lines(tmp_path):
    chat = [{"role": "user", "content": "hi"}]
    lines = [
        b'{"text": "one", "id": 7}',
        b"",
        json.dumps({"messages": chat}).encode(),
        b'{"text": "two"',
        b'{"text": 3}',
        b'["text"]',
        b"{}",
        b'{"messages": ["hi"]}',
        b'{"text": "\\ud800"}',
        b'{"text": "\xff"}',
        b"[" * 100_000,
        b'{"text": "last"}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    found, skipped = read([path])
    assert [(d.name.rsplit(":")[-1], d.content) for d in found] == [("1", "one"), ("3", chat), ("12", "last")]
    assert [s.line for s in skipped] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert [s.kind for s in skipped] == [
        "not JSON",
        "text is no string",
        "not a table with text or messages",
        "it has neither text nor messages",
        "messages is no list of tables with a role",
        "half of a surrogate pair",
        "not UTF-8",
        "not JSON",
    ]


def test_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    chats = [[{"role": "user", "content": "hi", "name": None}], None]
    parquet.write_table(pyarrow.table({"text": ["one", None, ""], "n": [1, 2, 3]}), tmp_path / "a.parquet")
    parquet.write_table(pyarrow.table({"messages": chats}), tmp_path / "b.parquet")
    parquet.write_table(pyarrow.table({"n": [1]}), tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_bytes(b"PAR1 and no more")
    found, skipped = read([tmp_path])
    assert [d.content for d in found] == ["one", [{"role": "user", "content": "hi"}]]
    assert found[0].name.endswith("a.parquet#0")
    assert [(s.path.rsplit("/")[-1], s.line) for s in skipped] == [
        ("a.parquet", 1),
        ("a.parquet", 2),
        ("b.parquet", 1),
        ("c.parquet", None),
        ("d.parquet", None),
    ]


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r"pip install 'stretto\[parquet\]'"):
        read([tmp_path])


def test_equal_contents_and_files_met_twice_are_taken_once(tmp_path):
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")
    found, skipped = read([tmp_path, tmp_path / "a"])
    assert [d.name for d in found] == [str(tmp_path / "a")]
    assert [(s.path, s.why) for s in skipped] == [(str(tmp_path / "b"), "duplicate")]
    assert len(list(files([tmp_path, tmp_path]))) == 2


def test_unreadable_files_are_reported(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("x")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    assert read([path])[1][0].why == "cannot be read: Permission denied"


@pytest.mark.parametrize("source", ["nothing", "no*.py"])
def test_missing_sources(tmp_path, source):
    with pytest.raises(UserError, match="does not exist; expected a folder, a file or a pattern"):
        read([tmp_path / source])


def test_the_split_depends_on_content_and_keeps_its_share():
    found = [Document(str(i), f"text {i}") for i in range(4000)]
    held_out = {d.content for d in found if d.held_out(0.1)}
    assert 320 < len(held_out) < 480
    assert held_out == {d.content for d in (Document("other", d.content) for d in found[::-1]) if d.held_out(0.1)}
    assert held_out < {d.content for d in found if d.held_out(0.2)}
    assert not any(d.held_out(0.0) for d in found)
