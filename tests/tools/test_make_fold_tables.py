"""The committed tables are what their sources say."""

import re
import unicodedata
from importlib.metadata import version

import pytest

from gateway.filter import fold_tables
from gateway.filter.folding import SIMPLIFYING

HEAD = fold_tables.__doc__ or ""
SOURCES = {"OpenCC": "opencc", "confusable-homoglyphs": "confusable-homoglyphs"}


def test_the_head_names_every_source_its_version_and_its_licence() -> None:
    assert re.search(r"Unicode Character Database \d+\.\d+\.\d+", HEAD)
    assert all(re.search(rf"{name} \d+\.\d+", HEAD) for name in (*SOURCES, "pypinyin"))
    assert all(licence in HEAD for licence in ("Unicode License v3", "Apache-2.0", "MIT"))


def test_the_tables_are_what_the_sources_say() -> None:
    tool = pytest.importorskip("tools.make_fold_tables")
    installed = {name: version(package) for name, package in SOURCES.items()}
    installed |= {
        "Character Database": unicodedata.unidata_version,
        "pypinyin": version("pypinyin"),
    }
    if not all(f"{name} {number}" in HEAD for name, number in installed.items()):
        pytest.skip("the sources are installed in other versions than the tables were made from")

    assert tool.TARGET.read_text(encoding="utf-8") == tool.tables()


def test_no_character_has_two_simplified_ones() -> None:
    pairs = fold_tables.SIMPLER.replace("\n", "")

    assert len(set(pairs[::2])) == len(pairs) // 2
    assert {SIMPLIFYING.fold(one) for one in pairs[1::2]} == set(pairs[1::2])


def test_a_character_has_one_sound() -> None:
    read = [one for line in fold_tables.SOUNDS.split() for one in line if not one.isascii()]

    assert len(read) > 15_000
    assert len(set(read)) == len(read)
