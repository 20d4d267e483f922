import os

from stretto.probe import machine


def test_this_machine():
    found = machine.describe_machine()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert found.memory_bytes is None or found.available_bytes <= found.memory_bytes
    assert "gloo" in found.backends


def test_a_memory_quota_counts_as_the_machines_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1048576\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    found = machine.describe_machine()
    assert (found.memory_bytes, found.available_bytes) == (1048576, 48576)
