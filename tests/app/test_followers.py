"""What other processes write into the store, and what happens when it cannot be read."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

import pytest
from sqlalchemy import delete, insert

from gateway.app import followers
from gateway.app import gateway as composition
from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.quarantine import HoldState
from gateway.runtime.clock import utcnow
from gateway.runtime.passed_sockets import PassedSocket
from gateway.storage.change_feed import Change, ChangeFeed, ChangeKind
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.storage.tables import changes
from gateway.stores import Stores
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.users.model import WIDEST_LIMITS, SessionLimits
from gateway.systems.users.session_store import UserSessionStore
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus
from tests.memory_stores import execute, expire_at

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Told = Callable[..., Awaitable[dict[str, object]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"
SUBSCRIBER = 8613800138000


class FeedOfMoods(ChangeFeed):
    """A feed that cannot be read while it `is_down`; counts what it is asked."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.is_down = False
        self.failures = 0
        self.pruned_before: list[datetime] = []

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        if self.is_down:
            self.failures += 1
            raise StoreUnavailable("no disk")
        return await super().changes(after, limit)

    async def prune(self, before: datetime) -> int:
        self.pruned_before.append(before)
        return await super().prune(before)


async def add_change(stores: Stores, key: str) -> None:
    """Tell of a change of a held message."""
    change = {"kind": ChangeKind.QUARANTINE, "key": key, "at": utcnow()}
    await execute(stores, insert(changes).values(change))


@pytest.fixture
def feed(database: Database, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> FeedOfMoods:
    """Let gateways of this test open a store in memory whose feed has moods."""
    feed = FeedOfMoods(database)
    stores = replace(stores, changes=feed)

    async def given(_url: str, **_how: object) -> Stores:
        return stores

    monkeypatch.setattr(composition, "open_store", given)
    return feed


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the first failure for a second of them."""
    monkeypatch.setattr(followers, "_STALE_S", 0.0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no failure for a long one, however slow the machine is."""
    monkeypatch.setattr(followers, "_STALE_S", 3600.0)


async def test_r21_a_refusal_another_process_records_holds_within_a_second(
    start: Start, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start()
    monkeypatch.setattr(followers, "_EVERY_S", 0.25)  # as in earnest
    esme = await attach(gateway)
    await gateway.stores.consent.record(
        [ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, utcnow(), "mo")]
    )

    async with asyncio.timeout(60):
        while (answer := await esme.submit(SOURCE, DESTINATION, "大促")).is_ok:
            pass

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL


async def test_refusals_on_record_hold_from_the_first_message(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    first = await start()
    await first.stores.consent.record(
        [ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, utcnow(), "mo")]
    )
    await first.stop()
    gateway = await start()
    esme = await attach(gateway)

    answer = await esme.submit(SOURCE, DESTINATION, "大促")

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []


async def _cancel_none(_timeout_s: float) -> frozenset[str]:
    return frozenset()


async def test_who_takes_over_obeys_what_was_recorded_since_it_had_read_the_store(
    start: Start, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await start()

    async def take_over() -> list[PassedSocket]:
        await first.stores.consent.record(
            [ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, utcnow(), "mo")]
        )
        await first.drain(hands_over=True)
        with monkeypatch.context() as here:
            # Both are of one loop here: the tasks of who takes over go on.
            here.setattr("gateway.app.gateway.cancel_all", _cancel_none)
            await first.stop()
        return list(first.handed_over)

    gateway = await start(take_over=take_over)
    esme = await attach(gateway)
    answer = await esme.submit(SOURCE, DESTINATION, "大促")

    assert gateway.addresses == first.addresses
    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []


COMPANY = """\
version: 1
allow_plain_passwords: true
senders:
  - {system_id: sp1, owner: B2-1, password: "plain:secret", ports: [
      {number: "10690001", purpose: marketing}]}
  - {system_id: sp2, owner: B2-1, password: "plain:secret", ports: [
      {number: "10690002", purpose: marketing}]}
  - {system_id: sp3, password: "plain:secret", ports: [
      {number: "10690003", purpose: marketing}]}
"""


async def test_r21_a_refusal_of_one_account_holds_for_its_owner_in_a_second_and_after_a_restart(
    start: Start, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config/senders.yaml": COMPANY}
    first = await start(files)
    monkeypatch.setattr(followers, "_EVERY_S", 0.25)  # as in earnest
    esme, other = await attach(first, "sp2"), await attach(first, "sp3")
    assert (await esme.submit("10690002", DESTINATION, "大促")).is_ok
    await first.stores.consent.record(
        [ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, utcnow(), "mo")]
    )

    async with asyncio.timeout(60):
        while (answer := await esme.submit("10690002", DESTINATION, "大促")).is_ok:
            pass

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert (await other.submit("10690003", DESTINATION, "大促")).is_ok
    await first.stop()
    second = await start(files)
    esme, other = await attach(second, "sp2"), await attach(second, "sp3")
    answer = await esme.submit("10690002", DESTINATION, "大促")
    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert (await other.submit("10690003", DESTINATION, "大促")).is_ok


@pytest.mark.usefixtures("patient")
async def test_a_store_that_is_locked_for_a_moment_stops_no_traffic(
    start: Start, attach: Attach, feed: FeedOfMoods, told: Told, until: Until, log: LogLines
) -> None:
    gateway = await start()
    esme = await attach(gateway)

    feed.is_down = True
    await told("store.failed")
    await until(lambda: feed.failures >= 2)
    answer = await esme.submit(SOURCE, DESTINATION, "大促")
    feed.is_down = False
    await told("store.recovered")

    assert answer.is_ok
    assert "consent.behind" not in [line["event"] for line in log]


@pytest.mark.usefixtures("impatient")
async def test_answers_that_cannot_be_read_stop_marketing_and_nothing_else(
    start: Start,
    attach: Attach,
    feed: FeedOfMoods,
    told: Told,
    until: Until,
    log: LogLines,
) -> None:
    gateway = await start()
    marketing, codes = await attach(gateway), await attach(gateway, "sp2")

    feed.is_down = True
    await told("consent.behind")
    await told("store.failed")  # of the quarantine's loop, which tells of the recovery too
    failures = feed.failures
    await until(lambda: feed.failures >= failures + 4)
    stopped = await marketing.submit(SOURCE, DESTINATION, "大促")
    passed = await codes.submit("10690002", DESTINATION, "验证码 1234")
    feed.is_down = False
    await told("store.recovered")
    async with asyncio.timeout(60):
        while not (await marketing.submit(SOURCE, DESTINATION, "大促")).is_ok:
            pass

    assert stopped.command_status == CommandStatus.ESME_RMSGQFUL
    assert passed.is_ok
    # On a slow machine a read that takes long may count as behind, too.
    of_disk = [line["event"] for line in log if "no disk" in str(line.get("said"))]
    assert of_disk.count("consent.behind") <= 1
    assert [line["event"] for line in log].count("store.failed") == 1


async def test_a_count_that_takes_long_delays_no_step(
    start: Start, attach: Attach, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start()
    counting = asyncio.Event()

    async def count(_store: QuarantineStore) -> NoReturn:
        counting.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    monkeypatch.setattr(QuarantineStore, "count_by_state", count)
    await counting.wait()
    esme = await attach(gateway)
    answer = await esme.submit(SOURCE, DESTINATION, "低息贷款")
    await expire_at(gateway.stores, int(answer.message_id), utcnow())

    assert (await told("quarantine.expired"))["messages"] == 1


async def test_a_count_that_fails_alone_is_told(
    start: Start, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def count(_store: QuarantineStore) -> NoReturn:
        raise StoreUnavailable("no answer in time")

    await start()
    monkeypatch.setattr(QuarantineStore, "count_by_state", count)

    assert (await told("follower.failed"))["step"] == "count"


async def test_what_expires_is_told_by_number(
    start: Start, attach: Attach, told: Told, feed: FeedOfMoods
) -> None:
    assert feed.failures == 0
    gateway = await start()
    esme = await attach(gateway)
    answer = await esme.submit(SOURCE, DESTINATION, "低息贷款")
    await expire_at(gateway.stores, int(answer.message_id), utcnow())

    line = await told("quarantine.expired")

    assert line["messages"] == 1
    expired = await gateway.stores.quarantine.get(int(answer.message_id))
    assert expired is not None
    assert expired.state is HoldState.EXPIRED


@pytest.mark.usefixtures("feed")
async def test_a_change_of_a_message_that_is_gone_stops_nothing(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    held = await esme.submit(SOURCE, DESTINATION, "低息贷款")

    await add_change(gateway.stores, "8" + "1" * 18)
    await QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99)).request_release(
        int(held.message_id), "lin", utcnow()
    )

    await smsc.received(1)


async def test_old_changes_are_forgotten(
    start: Start, feed: FeedOfMoods, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "_PRUNE_EVERY", 1)

    await start()
    await until(lambda: bool(feed.pruned_before))

    assert (utcnow() - feed.pruned_before[0]).days == 7


async def test_sessions_and_devices_of_users_are_forgotten_when_they_are_over(
    start: Start, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[SessionLimits] = []

    async def forget(_store: UserSessionStore, _now: datetime, given: SessionLimits) -> int:
        limits.append(given)
        return 0

    monkeypatch.setattr(followers, "_PRUNE_EVERY", 1)
    monkeypatch.setattr(UserSessionStore, "forget", forget)

    await start()
    await until(lambda: bool(limits))

    assert limits[0] == WIDEST_LIMITS


async def test_complaints_that_lack_something_for_a_week_are_given_up(
    start: Start, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    befores: list[datetime] = []

    async def give_up(_store: ComplaintStore, before: datetime) -> int:
        befores.append(before)
        return 0

    monkeypatch.setattr(followers, "_PRUNE_EVERY", 1)
    monkeypatch.setattr(ComplaintStore, "give_up", give_up)

    await start()
    await until(lambda: bool(befores))

    assert (utcnow() - befores[0]).days == 7


@pytest.mark.usefixtures("feed")
async def test_a_step_that_fails_keeps_no_other_from_theirs_and_is_told_once(
    start: Start, attach: Attach, told: Told, log: LogLines
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    answers = [await esme.submit(SOURCE, DESTINATION, "低息贷款") for _ in range(2)]

    await add_change(gateway.stores, "no message id")
    failed = await told("follower.failed")
    for past, answer in enumerate(answers):
        await expire_at(gateway.stores, int(answer.message_id), utcnow())
        await told("quarantine.expired", past)
    await execute(gateway.stores, delete(changes).where(changes.c.key == "no message id"))
    recovered = await told("follower.recovered")

    assert (failed["step"], recovered["step"]) == ("changes", "changes")
    events = [line["event"] for line in log]
    assert events.count("follower.failed") == 1
    assert "store.failed" not in events


def test_no_message_waits_until_loops_over_numbers_or_marks_are_compiled() -> None:
    loops = ("gateway.kernel.number_rows", "gateway.kernel.display_loops")
    program = (
        "import sys, gateway.app.followers;"
        f" sys.exit(' '.join(one for one in {loops} if one not in sys.modules) or 0)"
    )

    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
