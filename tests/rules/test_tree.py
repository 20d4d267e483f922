"""Where things are: tests mirror the package, the tour leads to files that exist."""

import re

from tests.rules.source import PACKAGE, ROOT


def test_tests_mirror_the_package():
    lost = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        room = path.parent.relative_to(ROOT / "tests")
        if room.parts[:1] == ("rules",):
            continue
        module = PACKAGE / room / path.name.removeprefix("test_")
        is_file = any(module.parent.glob(f"{module.stem}.*"))
        if not is_file and not (module.with_suffix("") / "__init__.py").exists():
            lost.append(str(path.relative_to(ROOT)))
    assert not lost


def test_the_tour_leads_through_ten_files_that_exist():
    stops = re.findall(r"^\d+\. \[`([^`]+)`\]\(([^)]+)\)", (ROOT / "docs" / "tour.md").read_text(), re.MULTILINE)
    assert len(stops) == 10
    for name, link in stops:
        file = (ROOT / "docs" / link).resolve()
        assert file.is_file(), name
        assert file == (PACKAGE / name).resolve()
        assert len(file.read_text().splitlines()) < 300, f"{name} is too long to be read on a tour"


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text()):
            if not (page.parent / link).exists():
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert not broken


def test_the_glossary_has_each_word_once():
    words = re.findall(r"^\*\*([^*]+)\*\*", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert len(words) > 30
    assert len(set(words)) == len(words)
