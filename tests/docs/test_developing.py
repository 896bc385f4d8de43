"""docs/developing.md names files, classes and functions that are there."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/developing.md").read_text(encoding="utf-8")
# Fenced commands have no backticks of their own.
PROSE = re.sub(r"(?ms)^```.*?^```\n", "", PAGE)

PATH = re.compile(r"[\w.-]*/[\w./-]*|[\w.-]+\.(?:py|md|yaml|toml|json)")
# A class and what it has, a function with its brackets, or a constant. What SMPP calls ESME_ROK
# and what the settings call limits.window stand in the prose as they are.
NAME = re.compile(r"_?[A-Z]\w*[a-z]\w*(?:\.\w+)*(?:\(\))?|_?[a-z]\w*\(\)|_?[A-Z][A-Z0-9_]{2,}")


def blocks() -> Iterator[str]:
    """Yield every paragraph, item of a list and row of a table."""
    for block in re.split(r"\n(?=\n|\||- |\d+\. )", PROSE):
        yield block.strip()


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def paths_in(text: str) -> list[str]:
    return [said for said in quoted(text) if PATH.fullmatch(said)]


def names_in(text: str) -> list[str]:
    return [said.removesuffix("()") for said in quoted(text) if NAME.fullmatch(said)]


def section(heading: str) -> str:
    _, found, after = PAGE.partition(f"\n## {heading}\n")
    assert found, f"there is no heading {heading}"
    return after.partition("\n## ")[0]


@cache
def known_in(path: str) -> frozenset[str]:
    """Return the names that a file defines, those of a class behind it and a point."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = set(names_of(tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            inner = {*names_of(node.body), *names_of_itself(node)}
            names |= {f"{node.name}.{name}" for name in inner}
    return frozenset(names)


def names_of(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign(targets=targets):
                for target in targets:
                    yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case _:
                pass


def names_of_itself(node: ast.ClassDef) -> Iterator[str]:
    """Yield what a class sets on itself."""
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store):
            yield one.attr


def test_every_path_exists() -> None:
    commands = "".join(re.findall(r"(?ms)^```sh\n(.*?)^```", PAGE))
    in_commands = re.findall(r"(?<!\S)(?:gateway|tests|docs|tools)/[\w./-]+", commands)

    named = {*paths_in(PROSE), *in_commands}

    assert len(named) > 150
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("block", [block for block in blocks() if names_in(block)])
def test_every_name_stands_in_a_file_that_is_given_with_it(block: str) -> None:
    files = [path for path in paths_in(block) if path.endswith(".py")]

    known = frozenset[str]().union(*map(known_in, files))

    assert [name for name in names_in(block) if name not in known] == []


def test_every_package_stands_in_the_tree() -> None:
    named = re.findall(r"(?m)^\| `(gateway/[\w/]+)` \|", section("The tree"))

    packages = {path.parent for path in (ROOT / "gateway").glob("*/**/*.py")}
    assert sorted(named) == sorted({str(path.relative_to(ROOT)) for path in packages})


def test_the_floors_are_those_of_the_import_contract() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| (.+) \|$", section("The tree"))

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    assert [int(number) for number, _ in rows] == list(range(1, len(layers) + 1))
    assert [quoted(packages) for _, packages in rows] == [one.split(" | ") for one in layers]


@pytest.mark.parametrize(
    ("heading", "beside", "most_hops", "most_files"),
    [("The life of a submit_sm", {6, 14}, 45, 30), ("The life of an opt-out", {7, 8, 9}, 35, 15)],
)
def test_a_walk_is_short(heading: str, beside: set[int], most_hops: int, most_files: int) -> None:
    """Without the steps `beside` the way of a plain message with an answer, and of one MO."""
    steps = re.split(r"(?m)^(\d+)\. ", section(heading).partition("\n### ")[0])
    numbered = zip(map(int, steps[1::2]), steps[2::2], strict=True)

    walk = "".join(step for number, step in numbered if number not in beside)

    hops = {said for said in quoted(walk) if said.endswith("()")}
    files = {path for path in paths_in(walk) if path.endswith(".py")}
    assert 10 < len(hops) <= most_hops
    assert 10 < len(files) <= most_files


def test_there_are_eight_recipes_with_their_files_in_order() -> None:
    _, *recipes = section("Eight recipes").split("\n### ")

    assert len(recipes) == 8
    for recipe in recipes:
        steps = re.findall(r"(?m)^(\d+)\. `", recipe)
        assert len(steps) > 3
        assert [int(step) for step in steps] == list(range(1, len(steps) + 1))


def test_every_state_has_its_class_bound_and_ends() -> None:
    rows = [line for line in section("State in memory").splitlines() if line.startswith("| ")]

    cells = [row.strip("|").split(" | ") for row in rows]
    assert len(cells) > 40
    assert [row for row in cells if len(row) != 5 or not all(map(str.strip, row))] == []
    assert [row[0] for row in cells if row[0] != " state" and not names_in(row[1])] == []
