"""Reads the tables of the documentation."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

Rows = list[tuple[str, ...]]


def _rows(page: str, heading: str) -> Rows:
    """Return the cells of the first table under `heading`, its own heading row left out."""
    text = (DOCS / page).read_text(encoding="utf-8")
    _, found, after = text.partition(f"{heading}\n")
    assert found, f"{page} has no heading {heading}"
    table: Rows = []
    for line in after.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip("|"))
            table.append(tuple(cell.strip().strip("`") for cell in cells))
        elif table:
            break
    return table[2:]


@pytest.fixture
def table() -> Callable[[str, str], Rows]:
    return _rows
