"""The store of subscriptions (定制), requests for consent and dialogues."""

import json
from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.subscription import (
    RUNNING_STATES,
    MessageEvidence,
    OfferSession,
    OrderEvidence,
    RunningRow,
    ServiceKey,
    Subscription,
    SubscriptionState,
    Terms,
)
from gateway.storage.change_feed import ChangeKind, add_outbound_message, note_batch
from gateway.storage.database import SqlStore, values_of
from gateway.storage.dialect import insert_or_update, upsert
from gateway.storage.tables import (
    IS_PENDING,
    IS_REQUEST_PENDING,
    consent_requests,
    dialogue_sessions,
    subscription_events,
    subscriptions,
)
from gateway.systems.subscriptions.model import (
    SENT,
    UNSENT,
    Changes,
    ConsentRequest,
    ConsentRequestState,
    SubscriberRecords,
    SubscriptionEvent,
    SubscriptionStep,
)

_TERMS = tuple(field.name for field in fields(Terms))
# The fields of a subscription that are columns as they are, and those of its parts are not.
_OWN = [
    *("msisdn", "system_id", "service_id", "since", "asked_until", "trial_until", "step"),
    *("asked_from", "unanswered", "state"),
]


def _order_values(subscription: Subscription) -> dict[str, object]:
    return {
        **{name: getattr(subscription, name) for name in _OWN},
        **values_of(subscription.terms),
        "due_at": subscription.due_at,
        "evidence": _written(subscription.evidence),
    }


def _order_of(row: sa.RowMapping) -> Subscription:
    return Subscription(
        **{name: row[name] for name in _OWN},
        terms=Terms(**{name: row[name] for name in _TERMS}),
        evidence=_read(row["evidence"]),
    )


def _event_values(step: SubscriptionStep) -> dict[str, object]:
    after, said = step.after, step.said
    return {
        "msisdn": after.msisdn,
        "system_id": after.system_id,
        "service_id": after.service_id,
        "at": after.since,
        "act": step.act,
        "state": after.state,
        "message_id": said.message_id if said is not None else "",
        "text_sha256": said.text_sha256 if said is not None else "",
    }


def _request_values(request: ConsentRequest) -> dict[str, object]:
    return values_of(request) | {"likeness": f"{request.likeness:016x}"}


def _request_of(row: sa.RowMapping) -> ConsentRequest:
    likeness, state = int(row["likeness"], 16), ConsentRequestState(row["state"])
    return ConsentRequest(**{**row, "likeness": likeness, "state": state})


def _session_values(session: OfferSession) -> dict[str, object]:
    return values_of(session) | {"items": json.dumps(session.items)}


def _session_of(row: sa.RowMapping) -> OfferSession:
    items = tuple((system_id, service) for system_id, service in json.loads(row["items"]))
    return OfferSession(**{**row, "items": items})


def _written(evidence: OrderEvidence) -> str:
    said = ((name, getattr(evidence, name)) for name in evidence.__slots__)
    return json.dumps(
        {
            name: (one.message_id, one.text_sha256, one.at.isoformat())
            for name, one in said
            if one is not None
        }
    )


def _read(text: str) -> OrderEvidence:
    return OrderEvidence(
        **{
            name: MessageEvidence(message_id, digest, datetime.fromisoformat(at))
            for name, (message_id, digest, at) in json.loads(text).items()
        }
    )


_column, _event, _asked = subscriptions.c, subscription_events.c, consent_requests.c
_key = (_column.msisdn, _column.system_id, _column.service_id)
_pair = sa.tuple_(_column.msisdn, _column.system_id)
_RUNNING = tuple(state.value for state in RUNNING_STATES)
_FROM_START = (-1, "")


class SubscriptionStore(SqlStore):
    """Reads and keeps. Every call raises StoreUnavailable when the store does not answer."""

    async def known(self, msisdn: int, port: str, now: datetime) -> SubscriberRecords:
        """Return what is on record, without an ended session or ended requests."""

        async def run(connection: AsyncConnection) -> SubscriberRecords:
            own = sa.select(subscriptions).where(_column.msisdn == msisdn).order_by(*_key)
            asked = sa.select(consent_requests).where(
                _asked.msisdn == msisdn,
                IS_REQUEST_PENDING,
                _asked.until > now,
            )
            held = (await connection.execute(own)).mappings()
            pending = (await connection.execute(asked.order_by(_asked.asked_at))).mappings()
            session = (await connection.execute(_offered(msisdn, port, now))).mappings().first()
            return SubscriberRecords(
                tuple(map(_order_of, held)),
                tuple(map(_request_of, pending)),
                None if session is None else _session_of(session),
            )

        return await self._database.read(run)

    async def keep(self, changes: Changes) -> bool:
        """Keep all of `changes` in one commit, with an event row for each step; or nothing.

        False, and nothing is kept, if a subscription is not at the step before, or a request
        is no longer pending: read and decide again. Each step makes a change row.
        """

        async def run(connection: AsyncConnection) -> bool:
            if not await _is_as_decided(connection, changes):
                return False
            if changes.steps:
                await self._take_steps(connection, changes.steps)
            for request in changes.requests:
                values = _request_values(request)
                await connection.execute(
                    sa.update(consent_requests).where(_is_request(request)).values(values)
                )
            await _keep_session(connection, changes.session, changes.closes)
            if changes.outbound is not None:
                await add_outbound_message(connection, changes.outbound, self._utcnow())
            return True

        return await self._database.writer.write(run, rows=1 + 2 * len(changes.steps))

    async def _take_steps(
        self, connection: AsyncConnection, steps: tuple[SubscriptionStep, ...]
    ) -> None:
        number = await note_batch(connection, ChangeKind.SUBSCRIPTION, self._utcnow())
        rows = [_order_values(step.after) | {"change": number} for step in steps]
        await connection.execute(upsert(subscriptions), rows)
        await connection.execute(sa.insert(subscription_events), [*map(_event_values, steps)])

    async def session_of(self, msisdn: int, port: str, now: datetime) -> OfferSession | None:
        """Return the session of a port, None without one or when it has ended."""
        row = await self._database.first(_offered(msisdn, port, now))
        return None if row is None else _session_of(row)

    async def keep_session(self, session: OfferSession) -> None:
        """Open or replace the session of its port."""
        await self._database.writer.write(
            lambda connection: _keep_session(connection, session, None)
        )

    async def note_sent(
        self, subscription: Subscription, said: MessageEvidence, *, is_taken: bool
    ) -> None:
        """Append the result of sending a request, with the SMSC's id; no state changes."""
        step = SubscriptionStep(subscription, SENT if is_taken else UNSENT, said)
        values = _event_values(step) | {"at": said.at}
        await self._database.change(sa.insert(subscription_events), values)

    async def ask(self, request: ConsentRequest) -> bool:
        """Keep a consent request; False when there is one with the same key."""
        statement = insert_or_update(consent_requests).on_conflict_do_nothing()

        async def run(connection: AsyncConnection) -> bool:
            made = await connection.execute(statement, _request_values(request))
            return made.rowcount > 0

        return await self._database.writer.write(run)

    async def unask(self, request: ConsentRequest) -> None:
        """Forget a request that was not sent; it stays if not pending. Safe to repeat."""
        statement = sa.delete(consent_requests).where(_is_request(request), IS_REQUEST_PENDING)
        await self._database.change(statement)

    async def requests_of(self, msisdn: int, system_id: str) -> list[ConsentRequest]:
        """Return every request of an SP to a subscriber, the latest first."""
        query = (
            sa.select(consent_requests)
            .where(_asked.msisdn == msisdn, _asked.system_id == system_id)
            .order_by(_asked.asked_at.desc(), _asked.likeness)
        )
        return [_request_of(row) for row in await self._database.rows(query)]

    async def waiting_of(self, system_id: str, limit: int) -> int:
        """Return how many orders of an SP wait for a first yes; count up to `limit`."""
        some = (
            sa.select(_column.msisdn).where(IS_PENDING, _column.system_id == system_id).limit(limit)
        )
        query = sa.select(sa.func.count().label("waiting")).select_from(some.subquery())
        return int((await self._database.rows(query))[0]["waiting"])

    async def due(self, now: datetime, limit: int) -> list[Subscription]:
        """Return subscriptions that are due to lapse, the earliest first."""
        query = sa.select(subscriptions).where(_column.due_at <= now).order_by(_column.due_at)
        return [_order_of(row) for row in await self._database.rows(query.limit(limit))]

    async def requests_due(self, now: datetime, limit: int) -> list[ConsentRequest]:
        """Return pending requests past their time, the earliest first."""
        query = (
            sa.select(consent_requests)
            .where(IS_REQUEST_PENDING, _asked.until <= now)
            .order_by(_asked.until)
            .limit(limit)
        )
        return [_request_of(row) for row in await self._database.rows(query)]

    async def forget_sessions(self, now: datetime) -> int:
        """Delete sessions that are over; return how many."""
        statement = sa.delete(dialogue_sessions).where(dialogue_sessions.c.until <= now)
        return await self._database.change(statement)

    async def find(
        self,
        *,
        msisdn: int | None = None,
        system_id: str | None = None,
        state: SubscriptionState | None = None,
        limit: int = 50,
    ) -> list[Subscription]:
        """Return the subscriptions that fit, the latest change first."""
        equal = {_column.msisdn: msisdn, _column.system_id: system_id, _column.state: state}
        same = (column == value for column, value in equal.items() if value is not None)
        query = sa.select(subscriptions).where(*same).order_by(_column.since.desc(), *_key)
        return [_order_of(row) for row in await self._database.rows(query.limit(limit))]

    async def history(self, msisdn: int, service: ServiceKey) -> list[SubscriptionEvent]:
        """Return every step of one subscription, the earliest first."""
        query = (
            sa.select(*(_event[name] for name in SubscriptionEvent._fields))
            .where(
                _event.msisdn == msisdn, sa.tuple_(_event.system_id, _event.service_id) == service
            )
            .order_by(_event.number)
        )
        return await self._database.records(SubscriptionEvent, query)

    async def running(self, batch: int = 10_000) -> AsyncIterator[list[RunningRow]]:
        """Yield each pair of number and SP with a running service once, at most `batch` a list.

        Changes made meanwhile may or may not be included.
        """
        # Page by page, as ConsentStore.all_answers.
        query = (
            sa.select(_column.msisdn, _column.system_id)
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
        """Return the state of the pairs changed above `after`, up to `through`."""
        touched: sa.Select[tuple[int, str]] = sa.select(_column.msisdn, _column.system_id).where(
            _column.change > after, _column.change <= through
        )
        query = (
            sa.select(
                _column.msisdn,
                _column.system_id,
                sa.func.max(sa.case((_column.state.in_(_RUNNING), 1), else_=0)).label("is_running"),
            )
            .where(_pair.in_(touched))
            .group_by(_column.msisdn, _column.system_id)
        )
        rows = await self._database.rows(query)
        return [(row["msisdn"], row["system_id"], bool(row["is_running"])) for row in rows]


def _offered(msisdn: int, port: str, now: datetime) -> sa.Select[tuple[object, ...]]:
    column = dialogue_sessions.c
    return sa.select(dialogue_sessions).where(
        column.msisdn == msisdn, column.port == port, column.until > now
    )


async def _is_as_decided(connection: AsyncConnection, changes: Changes) -> bool:
    """Tell whether nothing has moved since it was read; the write lock is held."""
    for step in changes.steps:
        after = step.after
        query = sa.select(_column.step).where(
            sa.tuple_(*_key) == (after.msisdn, after.system_id, after.service_id)
        )
        at = (await connection.execute(query)).scalar_one_or_none()
        if (at or 0) != after.step - 1:
            return False
    for request in changes.requests:
        query = sa.select(_asked.state).where(_is_request(request))
        state = (await connection.execute(query)).scalar_one_or_none()
        if state != ConsentRequestState.PENDING.value:
            return False
    return True


def _is_request(request: ConsentRequest) -> sa.ColumnElement[bool]:
    return sa.tuple_(_asked.msisdn, _asked.system_id, _asked.likeness) == (
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
            sa.delete(table).where(sa.tuple_(table.c.msisdn, table.c.port) == closes)
        )
    if session is not None:
        await connection.execute(upsert(table), _session_values(session))
