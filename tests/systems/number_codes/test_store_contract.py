"""What gateway.systems.number_codes.sql promises, on every store."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.outbound_message import NewOutboundMessage, OutboundKind
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.number_codes.sql import (
    CODE_LIFE,
    MAX_ATTEMPTS,
    SESSION_LIFE,
    CodeLimits,
    IssueResult,
    NumberCode,
    NumberSession,
)

pytestmark = pytest.mark.every_store

SUBSCRIBER = 8613800138000
MINUTE = timedelta(minutes=1)
LIMITS = CodeLimits(all_per_minute=5)


@pytest.fixture
def session(noon: datetime) -> NumberSession:
    return NumberSession("ab" * 32, SUBSCRIBER, noon + SESSION_LIFE)


async def issue(stores: Stores, at: datetime, msisdn: int = SUBSCRIBER) -> IssueResult:
    code = NumberCode(msisdn, f"hash at {at:%H:%M}", at, at + CODE_LIFE)
    outbound = NewOutboundMessage(
        "10086", msisdn, "验证码", OutboundKind.CODE, "r", at, at + CODE_LIFE
    )
    return await stores.number_codes.issue(code, outbound, LIMITS)


async def test_a_code_is_kept_with_the_outbound_message_that_sends_it(
    stores: Stores, noon: datetime
) -> None:
    assert await issue(stores, noon) is IssueResult.SENT

    attempt = await stores.number_codes.attempt(SUBSCRIBER, noon)
    assert attempt is not None
    assert attempt.code_hash == "hash at 12:00"
    assert await stores.outbound_messages.waiting_ports() == {"10086"}
    assert [one.kind for one in await stores.changes.changes(0)] == [ChangeKind.ERRAND]


async def test_r51_a_number_gets_a_code_a_minute_and_five_a_day(
    stores: Stores, noon: datetime
) -> None:
    times = [noon, noon + MINUTE / 2, *(noon + n * MINUTE for n in range(1, 7))]

    came_of = [await issue(stores, at) for at in times]
    next_day = await issue(stores, noon + timedelta(days=1))

    sent, limited = IssueResult.SENT, IssueResult.LIMITED
    assert came_of == [sent, limited, sent, sent, sent, sent, limited, limited]
    assert next_day is sent
    assert [one is not None for one in [await stores.outbound_messages.get(n) for n in (6, 7)]] == [
        True,
        False,
    ]


async def test_r51_codes_in_all_are_bounded(stores: Stores, noon: datetime) -> None:
    for place in range(5):
        assert await issue(stores, noon, SUBSCRIBER + place) is IssueResult.SENT

    assert await issue(stores, noon, SUBSCRIBER + 5) is IssueResult.BUSY
    assert await issue(stores, noon + MINUTE, SUBSCRIBER + 5) is IssueResult.SENT


async def test_r51_of_wishes_at_once_one_is_met(stores: Stores, noon: datetime) -> None:
    came_of = await asyncio.gather(*(issue(stores, noon) for _ in range(4)))

    assert sorted(came_of) == [*([IssueResult.LIMITED] * 3), IssueResult.SENT]


async def test_the_latest_code_alone_is_good(stores: Stores, noon: datetime) -> None:
    await issue(stores, noon)
    await issue(stores, noon + MINUTE)

    attempt = await stores.number_codes.attempt(SUBSCRIBER, noon + MINUTE)

    assert attempt is not None
    assert attempt.code_hash == "hash at 12:01"


async def test_r51_a_code_has_five_attempts_whoever_is_at_it(
    stores: Stores, noon: datetime
) -> None:
    await issue(stores, noon)

    attempts = await asyncio.gather(
        *(stores.number_codes.attempt(SUBSCRIBER, noon) for _ in range(MAX_ATTEMPTS + 3))
    )

    assert len([one for one in attempts if one is not None]) == MAX_ATTEMPTS
    assert await stores.number_codes.attempt(SUBSCRIBER, noon) is None


async def test_r51_a_code_is_good_for_ten_minutes(stores: Stores, noon: datetime) -> None:
    await issue(stores, noon)

    assert await stores.number_codes.attempt(SUBSCRIBER, noon + CODE_LIFE) is None
    assert await stores.number_codes.attempt(SUBSCRIBER + 1, noon) is None
    assert await stores.number_codes.attempt(SUBSCRIBER, noon + CODE_LIFE - MINUTE) is not None


async def test_r51_a_code_opens_one_session(
    stores: Stores, noon: datetime, session: NumberSession
) -> None:
    await issue(stores, noon)
    attempt = await stores.number_codes.attempt(SUBSCRIBER, noon)
    assert attempt is not None

    assert await stores.number_codes.open(attempt.number, session)
    assert not await stores.number_codes.open(
        attempt.number, replace(session, token_sha256="cd" * 32)
    )
    assert not await stores.number_codes.open(attempt.number + 1, session)
    assert await stores.number_codes.attempt(SUBSCRIBER, noon) is None
    assert await stores.number_codes.owner_of("ab" * 32, noon) == SUBSCRIBER
    assert await stores.number_codes.owner_of("cd" * 32, noon) is None


async def test_the_last_attempt_opens_a_session_too(
    stores: Stores, noon: datetime, session: NumberSession
) -> None:
    await issue(stores, noon)
    attempts = [await stores.number_codes.attempt(SUBSCRIBER, noon) for _ in range(MAX_ATTEMPTS)]
    attempt = attempts[-1]
    assert attempt is not None

    assert await stores.number_codes.open(attempt.number, session)
    assert not await stores.number_codes.open(attempt.number, session)


async def test_a_session_is_over_after_half_an_hour_or_when_it_is_closed(
    stores: Stores, noon: datetime, session: NumberSession
) -> None:
    codes = stores.number_codes
    await issue(stores, noon)
    attempt = await codes.attempt(SUBSCRIBER, noon)
    assert attempt is not None
    await codes.open(attempt.number, session)

    assert await codes.owner_of(session.token_sha256, noon + SESSION_LIFE) is None
    assert await codes.close(SUBSCRIBER + 1) == 0
    assert await codes.close(SUBSCRIBER) == 1
    assert await codes.owner_of(session.token_sha256, noon) is None


async def test_codes_are_forgotten_after_a_day_and_sessions_when_they_are_over(
    stores: Stores, noon: datetime, session: NumberSession
) -> None:
    codes = stores.number_codes
    await issue(stores, noon)
    attempt = await codes.attempt(SUBSCRIBER, noon)
    assert attempt is not None
    await codes.open(attempt.number, session)
    await issue(stores, noon + MINUTE)

    counts = [
        await codes.forget(noon + after)
        for after in (SESSION_LIFE - MINUTE, SESSION_LIFE, timedelta(days=1), timedelta(days=1))
    ]

    assert counts == [0, 1, 1, 0]
    assert not await codes.open(attempt.number, session)
