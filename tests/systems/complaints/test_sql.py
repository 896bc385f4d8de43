"""Among millions of complaints and answers to them the next ones are found by an index."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from gateway.domain.sender import PortOwners
from gateway.stores import open_store
from gateway.systems.complaints.model import ComplaintState
from gateway.systems.complaints.service import ComplaintDesk
from tests.systems.complaints.conftest import Clock, ComplaintBuilder


@contextmanager
def asked_of(table: str) -> Iterator[list[tuple[str, tuple[object, ...]]]]:
    """Note the queries of a table."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(
        _connection: Connection, _cursor: object, said: str, values: tuple[object, ...], *_: object
    ) -> None:
        if f"FROM {table}" in said:
            asked.append((said, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_complaints_are_compared_without_a_look_at_their_texts(
    sqlite_url: str, clock: Clock, complaint: ComplaintBuilder
) -> None:
    stores = await open_store(sqlite_url)
    desk = ComplaintDesk(stores.complaints, lambda: PortOwners([]), clock)
    await desk.receive([complaint(source_id=one, text="字" * 65_000) for one in "12"])
    given = await stores.complaints.waiting(ComplaintState.RECEIVED, 9)
    with asked_of("complaints") as asked:
        found = await stores.complaints.repeated(given, timedelta(hours=1))
    await stores.close()

    assert found == {2: [1]}
    assert len(asked) == 2
    assert not any("text" in said for said, _ in asked)


async def test_what_is_to_be_told_and_sent_is_found_by_an_index(
    database_file: Path, sqlite_url: str, noon: datetime
) -> None:
    stores = await open_store(sqlite_url)
    with asked_of("complaints") as of_complaints, asked_of("errands") as of_errands:
        await stores.complaints.clustered(7, 100)
        await stores.complaints.cases_of_clustered(0, 9)
        await stores.outbound_messages.take_waiting(noon, noon + timedelta(hours=1), ["1"], 9)
    await stores.close()

    assert (len(of_complaints), len(of_errands)) == (2, 2)
    with closing(sqlite3.connect(database_file)) as connection:
        for asked, index in (
            (of_complaints, "ix_complaints_state_case_number_number (state=? AND case_number"),
            (of_errands, "ix_errands_waiting (port=? AND kind=?"),
        ):
            for statement, values in asked:
                plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
                steps = " / ".join(str(step[3]) for step in plan)
                assert index in steps
                assert "ORDER BY" not in steps or asked is of_errands
