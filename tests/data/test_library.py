"""The standard library as a corpus."""

from stretto.data.library import library_files


def test_modules_and_no_tests():
    found = library_files()
    assert len(found) > 300
    assert {"argparse.py", "dataclasses.py"} <= {p.name for p in found}
    assert not any({"test", "tests", "site-packages"} & set(p.parts[-4:-1]) for p in found)
