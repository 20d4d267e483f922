"""Cores that this process may keep busy."""

import os

from stretto.parallel.cores import usable_cores


def test_a_quota_cuts_the_cores(tmp_path):
    whole = usable_cores(tmp_path)
    assert 1 <= whole <= (os.cpu_count() or 1)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == whole
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cores(tmp_path) == 1
