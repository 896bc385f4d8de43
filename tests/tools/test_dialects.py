"""Which database it is, gateway/storage and the settings alone know: another one is there alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KNOWING = "gateway/storage/", "gateway/settings/"
# What else says it, and why another dialect need not change it.
EXCEPTIONS = {
    "gateway/systems/consent/cli/answer_import.py": "sorts a list in a temporary file of its own",
    "gateway/cli/demo/cast.py": "writes the configuration of a demo, with its store in a file",
    "gateway/cli/demo/linkage_stage.py": "writes such configurations, too",
    "gateway/cli/demo/linkage_show.py": "opens a store that one of them names",
}
_MODULES = re.compile(
    r"(sqlite3|aiosqlite|asyncpg|psycopg\d?|aiomysql|pymysql|sqlalchemy\.dialects"
    r"|gateway\.storage\.dialects(?!\.base))(\.|$)"
)
_SAID = re.compile(
    r"(?i)sqlite|postgres|mariadb|mysql|pragma\b|\browid\b|\bon conflict\b|\binsert or\b"
    r"|\bon duplicate key\b|\bjson_each\b"
)
_OPTION = re.compile(r"(sqlite|postgresql|mysql|mariadb|oracle|mssql)_")
# Statements of a driver's own, and what lays out a statement for one driver.
_CALLS = {"exec_driver_sql", "driver_connection", "on_duplicate_key_update"}


def dialect_in(text: str) -> Iterator[str]:
    """Yield what a module says of a dialect: in code and texts, not in comments and docstrings."""
    tree = ast.parse(text)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if _MODULES.match(one.name))
            case ast.ImportFrom(module=str(module), names=names):
                members = (f"{module}.{one.name}" for one in names)
                yield from filter(_MODULES.match, members)
            case ast.keyword(arg=str(name)) if _OPTION.match(name):
                yield name
            case ast.Attribute(attr=name) if name in _CALLS:
                yield name
            case ast.Constant(value=str(said)) if id(node) not in prose and _SAID.search(said):
                yield said


def test_no_module_outside_storage_and_settings_knows_a_dialect() -> None:
    found = {
        name: sorted(set(dialect_in(path.read_text(encoding="utf-8"))))
        for path in sorted((ROOT / "gateway").rglob("*.py"))
        if not (name := str(path.relative_to(ROOT))).startswith(KNOWING)
    }
    knowing = {name: said for name, said in found.items() if said}

    assert {name: said for name, said in knowing.items() if name not in EXCEPTIONS} == {}
    assert knowing.keys() == EXCEPTIONS.keys(), "an exception that is none any more"


@pytest.mark.parametrize(
    "text",
    [
        "import sqlite3",
        "from sqlalchemy import dialects",
        "from sqlalchemy.dialects.postgresql import insert",
        "from gateway.storage.dialects.sqlite import FilePlace",
        "x = 'PRAGMA cache_size=1'",
        "x = f'sqlite:///{place}'",
        "x = 'SELECT rowid FROM users'",
        "x = 'INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING'",
        "x = 'INSERT OR REPLACE INTO a VALUES (1)'",
        "x = 'SELECT value FROM json_each(?)'",
        "i = Index('ix', 'a', sqlite_where=w)",
        "await connection.exec_driver_sql('SELECT 1')",
        "if connection.dialect.name == 'postgresql': ...",
    ],
)
def test_what_knows_a_dialect_is_found(text: str) -> None:
    assert list(dialect_in(text)) != []


@pytest.mark.parametrize(
    "text", ['"""SQLite keeps it."""', "x = 1  # as SQLite has it", "x = sa.text('is_open')"]
)
def test_prose_and_plain_sql_know_none(text: str) -> None:
    assert list(dialect_in(text)) == []
