"""Among millions of answers an SP's next ones are found by the index."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection, Engine, event

from gateway.domain.consent import EVERY_SENDER, ConsentAnswer
from gateway.runtime.clock import utcnow
from gateway.stores import open_store

AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]
Asked: TypeAlias = list[tuple[str, tuple[str | int, ...]]]

SUBSCRIBER = 8613800138000


async def test_what_an_sp_has_not_heard_is_found_without_a_look_at_the_rest(
    database_file: Path, sqlite_url: str, answer: AnswerBuilder
) -> None:
    stores = await open_store(sqlite_url)
    scopes = ("sp1", EVERY_SENDER)
    await stores.consent.record(
        [answer(msisdn=SUBSCRIBER + place, scope=one) for place in range(10) for one in scopes]
    )
    asked: Asked = []

    def note(
        _connection: Connection,
        _cursor: object,
        statement: str,
        values: tuple[str | int, ...],
        *_rest: object,
    ) -> None:
        if "FROM consent_answers" in statement:
            asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    await stores.notices.next_batch("sp1", 3)  # a new one
    await stores.notices.next_batch("sp1", 3)  # again, and what is behind it
    await stores.notices.waiting_since("sp1")
    await stores.notices.skip_before("sp1", utcnow())
    event.remove(Engine, "before_cursor_execute", note)
    await stores.close()

    with closing(sqlite3.connect(database_file)) as connection:
        for statement, values in asked:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            steps = [str(step[3]) for step in plan]
            is_seek = "min(consent_answers.scope)" in statement  # the next part of the SP
            bounds = "(scope>? AND scope<?)" if is_seek else "(scope=? AND (change,msisdn)"
            assert any(f"ix_consent_answers_told {bounds}" in step for step in steps)
            assert not any("SCAN consent" in step or "ORDER BY" in step for step in steps)
    assert len(asked) == 21


async def test_what_is_only_asserted_costs_the_index_nothing(
    database_file: Path, sqlite_url: str
) -> None:
    await (await open_store(sqlite_url)).close()

    with closing(sqlite3.connect(database_file)) as connection:
        query = "SELECT sql FROM sqlite_master WHERE name = 'ix_consent_answers_told'"
        [(statement,)] = connection.execute(query).fetchall()
    assert statement.endswith("(scope, change, msisdn) WHERE answer <> 'asserted'")
