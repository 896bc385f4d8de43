"""What an SP asks of its own traffic."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from gateway.domain.live import LiveCap, LiveHours, LiveLimits
from gateway.records.archive import hour_of
from tests.console.api.conftest import NOON, Desk
from tests.records.finding_rows import decided, enforced, lines

Ask = Callable[..., Awaitable[httpx.Response]]

LIMITS = LiveLimits(
    per_s=100,
    burst=200,
    free=150,
    per_s_used={"forwarded": 12.5, "held": 0.0, "rejected": 0.5},
    sessions=2,
    most_sessions=10,
    window=100,
    window_used=7,
    held=3,
    most_held=1000,
    held_octets=2048,
    most_held_octets=1 << 20,
    caps=(LiveCap("R42", 3, "day", ("sender", "destination")),),
    hours=(LiveHours("R40", "08:00", "21:00", (1, 2, 3, 4, 5, 6, 7)),),
)


@pytest.fixture
def recorded(desk: Desk, tmp_path: Path) -> Path:
    """Records of an hour before noon: two messages of sp1, one of sp2."""
    began = NOON - timedelta(minutes=30)
    # `decided` moves each by a millisecond.
    rows = (
        decided(1, system_id="sp1", at=began.timestamp()),
        decided(2, enforced("K-FRAUD"), system_id="sp1", at=began.timestamp()),
        decided(3, system_id="sp2", source="10690009", at=began.timestamp()),
    )
    assert hour_of(began) == hour_of(NOON) - 1
    (tmp_path / f"cdr-{began:%Y%m%d-%H}.jsonl").write_bytes(b"\n".join((*lines(*rows), b"")))
    desk.records = tmp_path
    return tmp_path


@pytest.mark.usefixtures("recorded")
async def test_an_sp_looks_at_its_own_messages_and_at_no_others(ask: Ask) -> None:
    own = (await ask("shop", "GET", "/v1/messages")).json()
    others = (await ask("other", "GET", "/v1/messages")).json()

    assert [(one["state"], one["reason"], one["rule"]) for one in own["messages"]] == [
        ("unanswered", "", ""),
        ("refused", "CONTENT", "K-FRAUD"),
    ]
    assert own["messages"][0]["destination"] == "138****8000"
    assert [one["source"] for one in others["messages"]] == ["10690009"]
    assert (own["next"], others["next"]) == (None, None)


@pytest.mark.usefixtures("recorded")
async def test_messages_come_in_pages_and_by_state(ask: Ask) -> None:
    first = (await ask("shop", "GET", "/v1/messages", params={"limit": 1})).json()
    after = {"limit": 1, "after": first["next"]}
    second = (await ask("shop", "GET", "/v1/messages", params=after)).json()
    refused = (await ask("shop", "GET", "/v1/messages", params={"state": "refused"})).json()

    assert [one["state"] for one in first["messages"]] == ["unanswered"]
    assert [one["state"] for one in second["messages"]] == ["refused"]
    assert (second["next"], refused["messages"]) == (None, second["messages"])


@pytest.mark.usefixtures("recorded")
async def test_an_sp_counts_its_own_messages_by_day(ask: Ask) -> None:
    answer = (await ask("shop", "GET", "/v1/statistics")).json()

    of_day = {"day": "2025-11-25", "port": "10690001"}
    assert answer["counts"] == [
        {**of_day, "action": "forward", "reason": "", "count": 1},
        {**of_day, "action": "reject", "reason": "CONTENT", "count": 1},
    ]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v1/messages", {"from": "2025-11-24T11:59:59Z"}),
        ("/v1/messages", {"from": "2025-11-25T13:00:00Z"}),
        ("/v1/messages", {"limit": 501}),
        ("/v1/messages", {"after": "yesterday"}),
        ("/v1/messages", {"state": "lost"}),
        ("/v1/messages", {"system_id": "sp2"}),
        ("/v1/statistics", {"from": "2025-10-25"}),
        ("/v1/statistics", {"from": "2025-11-26"}),
        # The ends of the calendar.
        ("/v1/messages", {"to": "0001-01-01T00:00:00Z"}),
        ("/v1/messages", {"from": "9999-12-31T23:00:00Z", "to": "9999-12-31T23:59:59Z"}),
        ("/v1/statistics", {"to": "0001-01-03"}),
        ("/v1/statistics", {"to": "9999-12-31"}),
    ],
)
async def test_what_is_asked_for_is_bounded(
    ask: Ask, path: str, params: dict[str, str | int]
) -> None:
    assert (await ask("shop", "GET", path, params=params)).status_code == 422


async def test_records_that_cannot_be_read_are_told_of_and_no_more(
    ask: Ask, recorded: Path
) -> None:
    broken = b'{"kind":"decision","at":"","session":1,"system_id":"sp1",\n'
    (recorded / "cdr-20251125-11.jsonl").write_bytes(broken)

    answer = await ask("shop", "GET", "/v1/messages")

    assert (answer.status_code, answer.json()["detail"]) == (503, "the records cannot be read")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.usefixtures("recorded")
async def test_too_many_records_are_asked_for_again(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.sender_messages._PATIENCE_S", -1.0)

    answer = await ask("shop", "GET", "/v1/statistics")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_a_look_costs_as_much_as_ten_requests(ask: Ask) -> None:
    statuses = [(await ask("shop", "GET", "/v1/statistics")).status_code for _ in range(11)]

    assert (set(statuses[:10]), statuses[10]) == ({200}, 429)


async def test_an_sp_that_asks_again_and_again_keeps_no_other_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, goes_on = asyncio.Event(), asyncio.Event()

    async def read_slowly(read: Callable[[], object]) -> object:
        reading.set()
        await goes_on.wait()
        return read()

    monkeypatch.setattr("gateway.console.own_traffic.asyncio.to_thread", read_slowly)
    app = desk.app()
    async with desk.asking("shop", app=app) as shop, desk.asking("other", app=app) as other:
        async with asyncio.TaskGroup() as looks:
            first = looks.create_task(shop.get("/v1/messages"))
            await reading.wait()
            second = await shop.get("/v1/statistics")
            others = looks.create_task(other.get("/v1/messages"))
            goes_on.set()
        again = await shop.get("/v1/messages")

    assert (second.status_code, second.headers["Retry-After"]) == (503, "5")
    assert {one.status_code for one in (first.result(), others.result(), again)} == {200}


async def test_an_sp_asks_for_its_limits_and_what_is_used_of_them(ask: Ask, desk: Desk) -> None:
    desk.limits["sp1"] = LIMITS

    own = await ask("shop", "GET", "/v1/limits")
    without_gateway = await ask("other", "GET", "/v1/limits")

    assert own.json()["window_used"] == 7
    assert own.json()["caps"] == [
        {"rule": "R42", "maximum": 3, "every": "day", "per": ["sender", "destination"]}
    ]
    assert (without_gateway.status_code, without_gateway.headers["Retry-After"]) == (503, "5")
