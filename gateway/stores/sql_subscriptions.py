"""Subscriptions and dialogues in SQL (contract: gateway.ports.subscriptions)."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as insert_or_update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent_request import ConsentRequest, ConsentRequestState
from gateway.domain.subscription import (
    RUNNING_STATES,
    MessageEvidence,
    Subscription,
    SubscriptionState,
)
from gateway.ports.changes import ChangeKind
from gateway.ports.subscriptions import (
    SENT,
    UNSENT,
    Changes,
    OfferSession,
    RunningRow,
    ServiceKey,
    SubscriberRecords,
    SubscriptionEvent,
    SubscriptionQuery,
    SubscriptionStep,
)
from gateway.stores.database import Database
from gateway.stores.sql_errands import add_errand
from gateway.stores.subscription_rows import (
    event_values_of,
    request_of,
    request_values_of,
    session_of,
    session_values_of,
    subscription_of,
    values_of,
)
from gateway.stores.subscription_tables import (
    IS_PENDING,
    consent_requests,
    dialogue_sessions,
    subscription_events,
    subscriptions,
)
from gateway.stores.tables import changes as change_rows

_column, _event, _asked = subscriptions.c, subscription_events.c, consent_requests.c
_key = (_column.msisdn, _column.system_id, _column.service_id)
_pair = tuple_(_column.msisdn, _column.system_id)
_RUNNING = tuple(state.value for state in RUNNING_STATES)
_FROM_START = (-1, "")


class SqlSubscriptions:
    """Subscriptions as rows that are replaced, each with event rows that are not."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def known(self, msisdn: int, port: str, now: datetime) -> SubscriberRecords:
        async def run(connection: AsyncConnection) -> SubscriberRecords:
            own = select(subscriptions).where(_column.msisdn == msisdn).order_by(*_key)
            asked = select(consent_requests).where(
                _asked.msisdn == msisdn,
                _asked.state == ConsentRequestState.PENDING.value,
                _asked.until > now,
            )
            offered = select(dialogue_sessions).where(
                dialogue_sessions.c.msisdn == msisdn,
                dialogue_sessions.c.port == port,
                dialogue_sessions.c.until > now,
            )
            held = (await connection.execute(own)).mappings()
            pending = (await connection.execute(asked.order_by(_asked.asked_at))).mappings()
            session = (await connection.execute(offered)).mappings().first()
            return SubscriberRecords(
                tuple(map(subscription_of, held)),
                tuple(map(request_of, pending)),
                None if session is None else session_of(session),
            )

        return await self._database.read(run)

    async def keep(self, changes: Changes) -> bool:
        async def run(connection: AsyncConnection) -> bool:
            if not await _is_as_decided(connection, changes):
                return False
            if changes.steps:
                await self._take_steps(connection, changes.steps)
            for request in changes.requests:
                values = request_values_of(request)
                await connection.execute(
                    update(consent_requests).where(_is_request(request)).values(values)
                )
            await _keep_session(connection, changes.session, changes.closes)
            if changes.errand is not None:
                await add_errand(connection, changes.errand, self._utcnow())
            return True

        return await self._database.writer.write(run, rows=1 + 2 * len(changes.steps))

    async def _take_steps(
        self, connection: AsyncConnection, steps: tuple[SubscriptionStep, ...]
    ) -> None:
        change = {"kind": ChangeKind.SUBSCRIPTION, "key": "", "at": self._utcnow()}
        made = await connection.execute(insert(change_rows).returning(change_rows.c.number), change)
        number = int(made.scalar_one())
        for step in steps:
            values = values_of(step.after) | {"change": number}
            statement = insert_or_update(subscriptions).values(values)
            await connection.execute(
                statement.on_conflict_do_update(index_elements=list(_key), set_=values)
            )
        await connection.execute(insert(subscription_events), [*map(event_values_of, steps)])

    async def note_sent(
        self, subscription: Subscription, said: MessageEvidence, *, is_taken: bool
    ) -> None:
        step = SubscriptionStep(subscription, SENT if is_taken else UNSENT, said)
        values = event_values_of(step) | {"at": said.at}

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(insert(subscription_events), values)

        await self._database.writer.write(run)

    async def ask(self, request: ConsentRequest) -> bool:
        statement = insert_or_update(consent_requests).on_conflict_do_nothing()

        async def run(connection: AsyncConnection) -> bool:
            made = await connection.execute(statement, request_values_of(request))
            return made.rowcount > 0

        return await self._database.writer.write(run)

    async def unask(self, request: ConsentRequest) -> None:
        pending = _asked.state == ConsentRequestState.PENDING.value
        statement = delete(consent_requests).where(_is_request(request), pending)

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.writer.write(run)

    async def requests_of(self, msisdn: int, system_id: str) -> list[ConsentRequest]:
        query = (
            select(consent_requests)
            .where(_asked.msisdn == msisdn, _asked.system_id == system_id)
            .order_by(_asked.asked_at.desc(), _asked.likeness)
        )
        return [request_of(row) for row in await self._database.rows(query)]

    async def waiting_of(self, system_id: str, limit: int) -> int:
        some = select(_column.msisdn).where(IS_PENDING, _column.system_id == system_id).limit(limit)
        query = select(func.count().label("waiting")).select_from(some.subquery())
        return int((await self._database.rows(query))[0]["waiting"])

    async def due(self, now: datetime, limit: int) -> list[Subscription]:
        query = select(subscriptions).where(_column.due_at <= now).order_by(_column.due_at)
        return [subscription_of(row) for row in await self._database.rows(query.limit(limit))]

    async def requests_due(self, now: datetime, limit: int) -> list[ConsentRequest]:
        query = (
            select(consent_requests)
            .where(_asked.state == ConsentRequestState.PENDING.value, _asked.until <= now)
            .order_by(_asked.until)
            .limit(limit)
        )
        return [request_of(row) for row in await self._database.rows(query)]

    async def forget_sessions(self, now: datetime) -> int:
        statement = delete(dialogue_sessions).where(dialogue_sessions.c.until <= now)

        async def run(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._database.writer.write(run)

    async def find(self, wanted: SubscriptionQuery) -> list[Subscription]:
        query = select(subscriptions).order_by(_column.since.desc(), *_key).limit(wanted.limit)
        if wanted.msisdn is not None:
            query = query.where(_column.msisdn == wanted.msisdn)
        if wanted.system_id is not None:
            query = query.where(_column.system_id == wanted.system_id)
        if wanted.state is not None:
            query = query.where(_column.state == wanted.state.value)
        return [subscription_of(row) for row in await self._database.rows(query)]

    async def history(self, msisdn: int, service: ServiceKey) -> list[SubscriptionEvent]:
        query = (
            select(*(_event[name] for name in SubscriptionEvent._fields))
            .where(_event.msisdn == msisdn, tuple_(_event.system_id, _event.service_id) == service)
            .order_by(_event.number)
        )
        return [
            SubscriptionEvent(**{**row, "state": SubscriptionState(row["state"])})
            for row in await self._database.rows(query)
        ]

    async def running(self, batch: int = 10_000) -> AsyncIterator[list[RunningRow]]:
        # Page by page, as SqlConsent.all_answers.
        query = (
            select(_column.msisdn, _column.system_id)
            .where(_column.state.in_(_RUNNING))
            .group_by(_column.msisdn, _column.system_id)
            .order_by(_column.msisdn, _column.system_id)
            .limit(batch)
        )
        last = _FROM_START
        while rows := await self._database.rows(query.where(_pair > last)):
            yield [(row["msisdn"], row["system_id"], True) for row in rows]
            last = (rows[-1]["msisdn"], rows[-1]["system_id"])

    async def running_changed(self, after: int, through: int) -> list[RunningRow]:
        touched: Select[tuple[int, str]] = select(_column.msisdn, _column.system_id).where(
            _column.change > after, _column.change <= through
        )
        query = (
            select(
                _column.msisdn,
                _column.system_id,
                func.max(_column.state.in_(_RUNNING)).label("is_running"),
            )
            .where(_pair.in_(touched))
            .group_by(_column.msisdn, _column.system_id)
        )
        rows = await self._database.rows(query)
        return [(row["msisdn"], row["system_id"], bool(row["is_running"])) for row in rows]


async def _is_as_decided(connection: AsyncConnection, changes: Changes) -> bool:
    """Tell whether nothing has moved since it was read; the write lock is held."""
    for step in changes.steps:
        after = step.after
        query = select(_column.step).where(
            tuple_(*_key) == (after.msisdn, after.system_id, after.service_id)
        )
        at = (await connection.execute(query)).scalar_one_or_none()
        if (at or 0) != after.step - 1:
            return False
    for request in changes.requests:
        query = select(_asked.state).where(_is_request(request))
        state = (await connection.execute(query)).scalar_one_or_none()
        if state != ConsentRequestState.PENDING.value:
            return False
    return True


def _is_request(request: ConsentRequest) -> ColumnElement[bool]:
    return tuple_(_asked.msisdn, _asked.system_id, _asked.likeness) == (
        request.msisdn,
        request.system_id,
        f"{request.likeness:016x}",
    )


async def _keep_session(
    connection: AsyncConnection, session: OfferSession | None, closes: tuple[int, str] | None
) -> None:
    table = dialogue_sessions
    if closes is not None:
        await connection.execute(
            delete(table).where(tuple_(table.c.msisdn, table.c.port) == closes)
        )
    if session is not None:
        values = session_values_of(session)
        statement = insert_or_update(table).values(values)
        keys = [table.c.msisdn, table.c.port]
        await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))
