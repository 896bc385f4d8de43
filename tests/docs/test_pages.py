"""What the pages point at is there."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def command_under(marker: str, page: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"<!-- ci: {marker} -->\n```sh\n(.+?)\n```", text, re.DOTALL)
    assert found, f"{page} has no command under {marker}"
    return found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))

    inside = [link for link in links if "://" not in link]

    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}

    assert pages - {"README.md"} == set(re.findall(r"\]\(([^)#:]+\.md)\)", index))


def has_source(name: str) -> bool:
    """Whether a module has a file: a folder left over with caches alone is found as well."""
    found = find_spec(name)
    return found is not None and found.origin is not None


def test_the_mission_names_packages_and_tests_that_exist() -> None:
    text = (ROOT / "docs/mission.md").read_text(encoding="utf-8")

    packages = set(re.findall(r"`(gateway\.[a-z.]+)`", text))
    folders = set(re.findall(r"`(tests/[a-z/]+)`", text))

    assert packages
    assert folders
    assert [name for name in packages if not has_source(name)] == []
    assert [name for name in folders if not any((ROOT / name).rglob("test_*.py"))] == []


@pytest.mark.parametrize("marker", ["demo", "test"])
def test_both_readmes_give_the_same_command(marker: str) -> None:
    english = command_under(marker, "README.md")

    assert command_under(marker, "README.zh-CN.md") == english
