"""A code by SMS proves whose a number is, and little helps who has not got it (R51)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from gateway.domain.outbound_message import OutboundKind, OutboundMessage
from gateway.runtime.clock import monotonic
from gateway.stores import Stores
from gateway.systems.number_codes import service as module
from gateway.systems.number_codes.service import DECOY, Chance, NumberCodeDesk, hash_code, is_code
from gateway.systems.number_codes.sql import CODE_LIFE, MAX_ATTEMPTS, SESSION_LIFE, IssueResult

SUBSCRIBER, STRANGER = 8613800138000, 8613900139000
NOON = datetime(2013, 9, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WRONG = "000000"
APP = "app"


@dataclass
class Pauses:
    """Counts how often an answer had to wait for its time."""

    count: int = 0

    async def pause(self) -> None:
        self.count += 1


@dataclass
class Phone:
    """A subscriber with a telephone, and the desk; codes are 482913, 482914, ..."""

    stores: Stores
    desk: NumberCodeDesk
    pauses: Pauses
    now: datetime = NOON

    async def outbound(self) -> OutboundMessage:
        """Return the latest message that waits to be sent."""
        return [one for n in range(1, 9) if (one := await self.stores.outbound_messages.get(n))][-1]


@pytest.fixture
def phone(stores: Stores) -> Phone:
    codes, names = count(482913), count(1)
    chance = Chance(
        code=lambda: str(next(codes)),
        token=lambda: f"token-{next(names)}",
        ref=lambda: f"ref-{next(names)}",
    )
    pauses = Pauses()
    desk = NumberCodeDesk(stores.number_codes, "10086", chance, pause=pauses.pause)
    return Phone(stores, desk, pauses)


async def test_r51_a_code_by_sms_proves_a_number(phone: Phone) -> None:
    assert await phone.desk.ask(SUBSCRIBER, phone.now) is IssueResult.SENT
    outbound = await phone.outbound()
    token = await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now + MINUTE)

    assert (outbound.port, outbound.msisdn, outbound.kind) == (
        "10086",
        SUBSCRIBER,
        OutboundKind.CODE,
    )
    assert "482913" in outbound.text
    assert "482913" not in repr(outbound)
    assert outbound.not_after == NOON + CODE_LIFE
    assert token is not None
    assert await phone.desk.owner_of(token, APP, phone.now + MINUTE) == SUBSCRIBER


async def test_r51_a_wrong_code_five_times_ends_it(phone: Phone) -> None:
    await phone.desk.ask(SUBSCRIBER, phone.now)

    for _ in range(MAX_ATTEMPTS):
        assert await phone.desk.prove(SUBSCRIBER, WRONG, APP, phone.now) is None

    assert await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now) is None


async def test_r51_the_right_code_at_the_fifth_attempt_counts(phone: Phone) -> None:
    await phone.desk.ask(SUBSCRIBER, phone.now)
    for _ in range(MAX_ATTEMPTS - 1):
        await phone.desk.prove(SUBSCRIBER, WRONG, APP, phone.now)

    assert await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now) is not None


async def test_r51_a_code_proves_its_own_number_in_its_own_time_and_once(phone: Phone) -> None:
    await phone.desk.ask(SUBSCRIBER, phone.now)
    await phone.desk.ask(STRANGER, phone.now)

    of_another = await phone.desk.prove(STRANGER, "482913", APP, phone.now)
    too_late = await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now + CODE_LIFE)
    in_time = await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now)
    again = await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now)

    assert (of_another, too_late, again) == (None, None, None)
    assert in_time is not None


async def test_r51_a_later_code_takes_the_place_of_the_earlier(phone: Phone) -> None:
    await phone.desk.ask(SUBSCRIBER, phone.now)
    await phone.desk.ask(SUBSCRIBER, phone.now + MINUTE)

    assert await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now + MINUTE) is None
    assert await phone.desk.prove(SUBSCRIBER, "482914", APP, phone.now + MINUTE) is not None


async def test_r51_a_wish_within_the_minute_leaves_the_code_good(phone: Phone) -> None:
    assert await phone.desk.ask(SUBSCRIBER, phone.now) is IssueResult.SENT
    assert await phone.desk.ask(SUBSCRIBER, phone.now) is IssueResult.LIMITED

    assert await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now) is not None


async def test_the_dear_part_is_done_also_for_a_number_without_a_code(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def compare(code_hash: str, _code: str) -> bool:
        compared.append(code_hash)
        return True

    monkeypatch.setattr(module, "is_code", compare)

    assert await phone.desk.prove(STRANGER, "482913", APP, phone.now) is None
    assert compared == [DECOY]


async def test_r51_a_session_ends_after_half_an_hour_or_when_it_is_closed(phone: Phone) -> None:
    await phone.desk.ask(SUBSCRIBER, phone.now)
    token = await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now)
    assert token is not None

    assert await phone.desk.owner_of(token, APP, phone.now + SESSION_LIFE) is None
    assert await phone.desk.owner_of("token-99", APP, phone.now) is None
    await phone.desk.close(SUBSCRIBER)
    assert await phone.desk.owner_of(token, APP, phone.now) is None


@pytest.mark.parametrize("guess", ["482914", "", "482913 ", "\ud800", "4" * 1000])
def test_a_hash_knows_its_code_and_no_other(guess: str) -> None:
    code_hash = hash_code("482913")

    assert is_code(code_hash, "482913")
    assert not is_code(code_hash, guess)
    assert not is_code(DECOY, guess)
    assert "482913" not in code_hash


async def test_r51_a_session_is_good_for_the_client_that_opened_it_alone(phone: Phone) -> None:
    await phone.desk.ask(SUBSCRIBER, phone.now)
    token = await phone.desk.prove(SUBSCRIBER, "482913", APP, phone.now)
    assert token is not None

    assert await phone.desk.owner_of(token, "another app", phone.now) is None
    assert await phone.desk.owner_of(token, APP, phone.now) == SUBSCRIBER


async def test_no_answer_comes_sooner_than_any_other(phone: Phone) -> None:
    await phone.desk.ask(SUBSCRIBER, phone.now)
    await phone.desk.ask(SUBSCRIBER, phone.now)  # LIMITED
    await phone.desk.prove(SUBSCRIBER, WRONG, APP, phone.now)
    await phone.desk.prove(STRANGER, WRONG, APP, phone.now)

    assert phone.pauses.count == 4


async def test_an_answer_takes_its_time_in_earnest(stores: Stores) -> None:
    chance = Chance(lambda: "482913", lambda: "token", lambda: "ref")
    desk = NumberCodeDesk(stores.number_codes, "10086", chance)
    began = monotonic()

    await desk.prove(STRANGER, WRONG, APP, NOON)

    assert monotonic() - began >= 0.045
