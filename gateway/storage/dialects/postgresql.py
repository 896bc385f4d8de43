"""PostgreSQL by asyncpg: stores work on it, and the settings of the gateway do not offer it yet."""

from typing import Any, ClassVar

from sqlalchemy import URL, Connection, TextClause, event, func, select, text
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles

from gateway.storage.dialects.base import DatabasePlace, MakeTables, SqlDialect, TextOctets
from gateway.storage.errors import StoreUnavailable

POSTGRESQL = "postgresql"
_DRIVER = "postgresql+asyncpg"
_READERS = 4
_ONE_WRITER = 0x736D7377617264  # the number of the advisory lock: "smsward"


class PostgresqlDialect(SqlDialect):
    """PostgreSQL 13 or later."""

    name = POSTGRESQL
    schemes: ClassVar = {POSTGRESQL: "postgresql://user@host/database"}
    unsealed_for = "a column of PostgreSQL holds numbers or octets, not both"
    backed_up_by = "PostgreSQL makes the copy itself: pg_dump --format=custom"

    used_octets = text("SELECT pg_database_size(current_database()) AS octets")
    last_given = text(
        "SELECT coalesce(last_value, 0) AS seq FROM pg_sequences"
        " WHERE sequencename = :journal || '_number_seq'"
    )
    triggers = text(
        "SELECT tgname AS name FROM pg_trigger"
        " WHERE tgrelid = CAST(:journal AS regclass) AND tgenabled <> 'D'"
    )
    # One trigger refuses changes and deletions; the primary key refuses to put another row there.
    walls = ("tr_{}",)

    def place_at(self, url: str) -> DatabasePlace:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ValueError("the store's URL cannot be read") from None
        return ServerPlace(parsed.set(drivername=_DRIVER))

    def rows_where(self, condition: TextClause) -> dict[str, Any]:
        return {"postgresql_where": condition}

    def fault_of(self, error: BaseException) -> str:
        state = getattr(error, "sqlstate", None)
        return f"SQLSTATE {state}" if state else ""


class ServerPlace(DatabasePlace):
    """A database of a server, made there before the gateway starts."""

    def __init__(self, url: URL) -> None:
        self._url = url

    def __str__(self) -> str:
        # SQLAlchemy hides the password before the host, not one among the options.
        secret = [name for name in self._url.query if "password" in name.lower()]
        shown = self._url.difference_update_query(secret)
        return shown.set(drivername=POSTGRESQL).render_as_string()

    def is_made(self) -> bool:
        return True

    def prepare(self, make_tables: MakeTables, *, busy_s: float) -> bool:
        del make_tables, busy_s
        return False

    def reading_engine(self, *, busy_s: float) -> AsyncEngine:
        read_only = {"default_transaction_read_only": "on"}
        return self._engine(_READERS, busy_s=busy_s, **read_only)

    def writing_engine(self, *, busy_s: float, max_octets: int | None = None) -> AsyncEngine:
        del max_octets  # the server bounds it
        engine = self._engine(1, busy_s=busy_s)
        event.listen(engine.sync_engine, "begin", _take_lock)
        return engine

    def _engine(self, connections: int, *, busy_s: float, **more: str) -> AsyncEngine:
        settings = {"lock_timeout": f"{max(1, int(busy_s * 1000))}ms", **more}
        engine = create_async_engine(
            self._url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=2 * busy_s,
            connect_args={"server_settings": settings, "timeout": busy_s},
            # An exception must not carry a message's octets or a subscriber's number.
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "do_connect", _connect)
        return engine


def _connect(
    dialect: Dialect, _record: object, args: list[Any], settings: dict[str, Any]
) -> DBAPIConnection:
    """Connect as SQLAlchemy does; raise StoreUnavailable where no server answers.

    The driver raises an OSError while it connects and never later: of a connection that was lost
    it raises an error of its own, which SQLAlchemy knows.
    """
    try:
        return dialect.connect(*args, **settings)
    except TimeoutError as error:
        raise StoreUnavailable("no answer in time") from error
    except OSError as error:
        raise StoreUnavailable(type(error).__name__) from error


def _take_lock(connection: Connection) -> None:
    """Let one transaction write at a time, as the stores rely on."""
    connection.execute(select(func.pg_advisory_xact_lock(_ONE_WRITER)))


@compiles(TextOctets, POSTGRESQL)
def _octets_of_text(element: TextOctets, compiler: Any, **more: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **more)})"


@compiles(OnConflictDoNothing, POSTGRESQL)
@compiles(OnConflictDoUpdate, POSTGRESQL)
def _on_conflict(clause: Any, compiler: Any, **more: Any) -> str:
    clause.constraint_target = None  # the clause is that of SQLite, which knows none
    visit = getattr(compiler, f"visit_{clause.__visit_name__}")
    return str(visit(clause, **more))
