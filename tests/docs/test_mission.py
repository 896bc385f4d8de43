"""docs/mission.md shows for each rule where it is and which tests show it, and leaves none out."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Rows = list[tuple[str, ...]]
Table = Callable[[str, str], Rows]

ROOT = Path(__file__).resolve().parents[2]
TESTS = {
    str(path.relative_to(ROOT)): set(
        re.findall(r"(?m)^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"))
    )
    for path in (ROOT / "tests").rglob("test_*.py")
}
# The sections A to F; content, bypasses, records, the data of subscribers; complaints and cases;
# early warning.
RULES = [
    *("R01", "R02", "R03", "R04", "R05", "R06", "R10", "R11", "R12"),
    *("R20", "R21", "R22", "R23", "R24", "R25", "R26", "R27", "R28"),
    *("R30", "R31", "R32", "R33", "R34", "R35", "R36", "R37", "R38"),
    *("R40", "R41", "R42", "R43", "R44", "R50", "R51"),
    *("R60", "R61", "R62", "R63", "R70", "R71", "R72", "R73"),
    *("R80", "R81", "R82", "R83", "R84", "R85", "R86", "R87", "R88", "R89", "R90"),
    *("R95", "R96", "R97", "R98"),
]
_NAMED = re.compile(r"(tests/[a-z0-9_/]+\.py)(?:::(test_\w+))?")


@pytest.fixture
def rows(table: Table) -> Rows:
    """Return the rows of the table of rules: rule, what it asks, source, where, state, tests."""
    return table("mission.md", "## Rules")


def test_every_rule_has_its_row(rows: Rows) -> None:
    assert [row[0] for row in rows] == RULES
    assert all(len(row) == 6 and all(row) for row in rows)


def test_every_rule_is_shown_by_a_test_that_cites_it_or_says_what_is_missing(rows: Rows) -> None:
    for rule, *_, state, shown in rows:
        cited = [name for _, name in _NAMED.findall(shown) if cites(name, rule)]
        assert cited or state.startswith("not yet: "), rule


def test_every_test_that_is_named_exists(rows: Rows) -> None:
    named = [found for row in rows for found in _NAMED.findall(row[5])]

    assert named
    assert [(path, name) for path, name in named if path not in TESTS] == []
    assert [(path, name) for path, name in named if name and name not in TESTS[path]] == []


@pytest.mark.parametrize("rule", RULES)
def test_every_file_whose_tests_cite_a_rule_is_named_in_its_row(rows: Rows, rule: str) -> None:
    (shown,) = [row[5] for row in rows if row[0] == rule]
    citing = {path for path, names in TESTS.items() if any(cites(name, rule) for name in names)}

    assert {path for path, _ in _NAMED.findall(shown)} == citing


def test_only_rules_of_the_table_are_cited(rows: Rows) -> None:
    cited = {
        f"R{number}"
        for names in TESTS.values()
        for name in names
        for number in re.findall(r"_r(\d\d)(?=_)", name)
    }

    assert cited <= {row[0] for row in rows}


def cites(name: str, rule: str) -> bool:
    """Tell whether the name of a test cites a rule, as in test_r20_r12_what_needs_records."""
    return f"_{rule.lower()}_" in name
