"""Subscribers over the API: a code by SMS proves a number and opens what is its own (R51)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx
import pytest

from gateway.domain.api_client import ApiClient, ApiRole
from gateway.domain.preferences import (
    MAX_PREFERENCES,
    ChangeOrigin,
    Channel,
    PreferenceAction,
    PreferenceKind,
    preference,
    with_preference,
)
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Reason
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import make
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.number_codes import service as number_proof
from gateway.systems.number_codes.api import Subscribers
from gateway.systems.number_codes.sql import IssueResult
from gateway.web.problems import ProblemError

Ask = Callable[..., Awaitable[httpx.Response]]
Me = Callable[..., Awaitable[httpx.Response]]
At = Callable[[datetime], None]

NUMBER, SUBSCRIBER, CODE = "13800138000", 8613800138000, "482913"
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WHOSE = {"number": NUMBER}
HOUSES = {"kind": "category", "value": "real_estate", "action": "block"}
PORT = {"kind": "number", "value": "10690001", "action": "block"}
OWN = "/v1/subscribers/me"


@pytest.fixture
async def session(ask: Ask) -> str:
    """Prove the number."""
    await ask("app", "POST", "/v1/subscribers/codes", json=WHOSE)
    answer = await ask("app", "POST", "/v1/subscribers/sessions", json={**WHOSE, "code": CODE})
    assert answer.status_code == 201
    return str(answer.json()["token"])


@pytest.fixture
def me(ask: Ask, session: str) -> Me:
    """Send a request in the subscriber's session."""

    async def send(method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"Subscriber-Session": session}
        return await ask("app", method, f"{OWN}{path}", json=body, headers=headers)

    return send


async def test_r51_a_code_by_sms_proves_a_number_and_the_answer_names_nothing(
    ask: Ask, stores: Stores
) -> None:
    sent = await ask("app", "POST", "/v1/subscribers/codes", json=WHOSE)
    (outbound,) = await stores.outbound_messages.take_waiting(NOON, NOON + MINUTE, ["10086"], 9)
    opened = await ask("app", "POST", "/v1/subscribers/sessions", json={**WHOSE, "code": CODE})

    assert (sent.status_code, sent.json()) == (202, {"valid_s": 600})
    assert CODE in outbound.text
    assert (opened.status_code, opened.json()) == (201, {"token": "session-1", "valid_s": 1800})


async def test_r51_the_answer_is_the_same_for_every_number(ask: Ask, stores: Stores) -> None:
    numbers = [NUMBER, NUMBER, "13900139000", "861062345678", "4915112345678"]

    answers = [
        await ask("app", "POST", "/v1/subscribers/codes", json={"number": one}) for one in numbers
    ]

    assert len({(one.status_code, one.text) for one in answers}) == 1
    taken = await stores.outbound_messages.take_waiting(NOON, NOON + MINUTE, ["10086"], 9)
    assert [one.msisdn for one in taken] == [SUBSCRIBER, 8613900139000]


async def test_r51_a_wrong_code_five_times_ends_it_over_the_api(ask: Ask) -> None:
    await ask("app", "POST", "/v1/subscribers/codes", json=WHOSE)

    codes = ["000000"] * 5 + [CODE]
    answers = [
        await ask("app", "POST", "/v1/subscribers/sessions", json={**WHOSE, "code": code})
        for code in codes
    ]

    assert {(one.status_code, one.text) for one in answers} == {(403, answers[0].text)}
    assert answers[0].json()["type"] == "urn:smsward:problem:not-proved"
    assert NUMBER not in answers[0].text


async def test_r51_when_too_many_codes_go_out_everybody_is_told_to_wait(
    ask: Ask, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def issue(*_given: object) -> IssueResult:
        return IssueResult.BUSY

    monkeypatch.setattr(stores.number_codes, "issue", issue)

    answer = await ask("app", "POST", "/v1/subscribers/codes", json=WHOSE)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"


async def test_r51_a_client_that_guesses_over_many_numbers_is_told_to_wait(
    ask: Ask, log: list[dict[str, object]]
) -> None:
    async def guess(client: str, at: int) -> int:
        proof = {"number": str(13_900_000_000 + at), "code": f"{at:06}"}
        answer = await ask(client, "POST", "/v1/subscribers/sessions", json=proof)
        return answer.status_code

    answers = [await guess("app", at) for at in range(25)]

    assert answers == [403] * 20 + [429] * 5
    assert await guess("other app", 1) == 403
    assert [one["client"] for one in log if one["event"] == "api.codes_guessed"] == ["app"]


async def test_r51_one_client_does_not_use_up_all_codes_of_the_minute(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_proof, "CODES_PER_MINUTE", 1)
    first = await ask("app", "POST", "/v1/subscribers/codes", json=WHOSE)

    more = await ask("app", "POST", "/v1/subscribers/codes", json=WHOSE)
    other = await ask("other app", "POST", "/v1/subscribers/codes", json=WHOSE)

    assert [one.status_code for one in (first, more, other)] == [202, 429, 202]


async def test_r51_a_session_belongs_to_the_client_that_opened_it(ask: Ask, session: str) -> None:
    headers = {"Subscriber-Session": session}

    own, stolen = [
        await ask(client, "GET", f"{OWN}/preferences", headers=headers)
        for client in ("app", "other app")
    ]

    assert (own.status_code, stolen.status_code) == (200, 403)


@pytest.mark.parametrize("client", ["shop", "营业厅", "police"])
async def test_only_the_carriers_app_asks_for_codes(ask: Ask, client: str) -> None:
    for path, body in (("codes", WHOSE), ("sessions", {**WHOSE, "code": CODE})):
        answer = await ask(client, "POST", f"/v1/subscribers/{path}", json=body)
        assert answer.status_code == 403


async def test_r51_a_preference_by_api_is_kept_journaled_and_announced(
    me: Me, stores: Stores
) -> None:
    before = await stores.changes.latest()

    added = await me("POST", "/preferences", HOUSES)
    await me("POST", "/preferences", PORT)
    seen = await me("GET", "/preferences")
    removed = await me("DELETE", "/preferences", {"kind": "category", "value": "房产"})

    assert added.json() == {"preferences": [HOUSES]}
    assert seen.json() == {"preferences": [HOUSES, PORT]}
    assert removed.json() == {"preferences": [PORT]}
    journal = await stores.preferences.journal_of(SUBSCRIBER)
    assert [entry.origin for entry in journal] == [ChangeOrigin(Channel.API, NOON, "app")] * 3
    changes = await stores.changes.changes(before)
    assert [(one.kind, one.key) for one in changes] == [
        (ChangeKind.PREFERENCES, str(SUBSCRIBER))
    ] * 3


@pytest.mark.parametrize(
    "body",
    [
        {**HOUSES, "value": "no such thing"},
        {**PORT, "value": "12"},
        {"kind": "class", "value": "verification", "action": "block"},
        {"kind": "quiet_hours", "value": "22:00-08:00", "action": "allow"},
    ],
)
async def test_a_preference_that_cannot_be_is_told_at_its_value(
    me: Me, body: dict[str, str]
) -> None:
    answer = await me("POST", "/preferences", body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["faults"]] == ["/value"]


async def test_r50_more_preferences_than_there_may_be_are_a_conflict(
    me: Me, stores: Stores
) -> None:
    full = tuple(
        preference(PreferenceKind.NUMBER, str(95500 + place), PreferenceAction.BLOCK)
        for place in range(MAX_PREFERENCES)
    )
    await stores.preferences.change(SUBSCRIBER, lambda _: full, ChangeOrigin(Channel.MO, NOON))

    assert (await me("POST", "/preferences", HOUSES)).status_code == 409


async def test_r51_all_that_is_kept_is_exported_and_deleted_for_its_owner_alone(
    me: Me, stores: Stores
) -> None:
    stranger = SUBSCRIBER + 1
    wanted = preference(PreferenceKind.CATEGORY, "real_estate", PreferenceAction.BLOCK)
    await stores.preferences.change(
        stranger, lambda kept: with_preference(kept, wanted), ChangeOrigin(Channel.MO, NOON)
    )
    await me("POST", "/preferences", PORT)

    export = (await me("GET", "/export")).json()
    deleted = await me("DELETE", "")
    after = await me("GET", "/preferences")

    assert (export["number"], export["preferences"]) == (str(SUBSCRIBER), [PORT])
    (change,) = export["journal"]
    assert (change["channel"], change["by"], change["after"]) == ("api", "app", [PORT])
    assert deleted.json() == {"deleted": True}
    assert after.status_code == 403  # the session ended with it
    assert await stores.preferences.of(SUBSCRIBER) == ()
    assert await stores.preferences.of(stranger) == (wanted,)


async def test_r51_a_session_is_over_after_half_an_hour(me: Me, at: At) -> None:
    at(NOON + 29 * MINUTE)
    still = await me("GET", "/preferences")
    at(NOON + 30 * MINUTE)
    over = await me("GET", "/preferences")

    assert (still.status_code, over.status_code) == (200, 403)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/preferences"),
        ("POST", "/preferences"),
        ("DELETE", "/preferences"),
        ("GET", "/export"),
        ("DELETE", ""),
        ("GET", "/holds"),
        ("POST", "/holds/release"),
        ("POST", "/holds/discard"),
    ],
)
async def test_r51_nothing_of_a_subscriber_is_open_without_the_session(
    ask: Ask, session: str, method: str, path: str
) -> None:
    body = {"ids": ["1"]} if "holds" in path else HOUSES
    body = {"kind": "number", "value": "10690001"} if method == "DELETE" else body

    async def status(client: str, token: str | None) -> int:
        headers = {"Subscriber-Session": token} if token is not None else {}
        answer = await ask(client, method, f"{OWN}{path}", json=body, headers=headers)
        return answer.status_code

    assert await status("app", "session-2") == 403
    assert await status("app", None) == 422
    assert await status("shop", session) == 403
    assert await status("app", session) == 200


@pytest.fixture
def held() -> HeldMessage:
    """A message that the subscriber's own preferences hold."""
    pdu = make(
        CommandId.SUBMIT_SM,
        1,
        source_addr=b"10690002",
        destination_addr=NUMBER.encode(),
        data_coding=8,
        short_message="秋季上新".encode("utf-16-be"),
    )
    return HeldMessage(
        message_id=8176407200000001000,
        system_id="sp1",
        source="10690002",
        destination=NUMBER,
        pdu=pdu,
        reason=Reason.USER_PREF,
        rule="R50",
        category="",
        evidence="",
        digest="0123456789ab",
        receipt_asked=False,
        held_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )


async def test_r50_a_subscriber_reads_and_releases_held_messages_over_the_api(
    me: Me, stores: Stores, held: HeldMessage
) -> None:
    await stores.quarantine.hold([held])

    seen = (await me("GET", "/holds")).json()["holds"]
    released = await me("POST", "/holds/release", {"ids": [one["id"] for one in seen]})

    assert [(one["id"], one["source"], one["text"]) for one in seen] == [
        ("8176407200000001000", "10690002", "秋季上新")
    ]
    assert released.json()["holds"] == seen
    kept = cast("HeldMessage", await stores.quarantine.get(held.message_id))
    assert kept.state is HoldState.RELEASE_REQUESTED
    assert (await me("GET", "/holds")).json() == {"holds": []}


async def test_r50_a_subscriber_drops_held_messages_over_the_api(
    me: Me, stores: Stores, held: HeldMessage
) -> None:
    await stores.quarantine.hold([held])

    dropped = await me("POST", "/holds/discard", {"ids": [str(held.message_id), "7"]})

    assert [one["id"] for one in dropped.json()["holds"]] == [str(held.message_id)]
    kept = cast("HeldMessage", await stores.quarantine.get(held.message_id))
    assert kept.state is HoldState.DISCARDED


async def test_without_a_hub_code_nobody_can_be_proved() -> None:
    nobody = Subscribers(None, lambda: NOON, number_proof.Guesses(lambda: 0.0))

    with pytest.raises(ProblemError):
        await nobody.owner_of("session-1", ApiClient("app", ApiRole.APP, b""))


async def test_no_line_of_the_log_holds_code_token_or_number(
    me: Me, session: str, log: list[dict[str, object]]
) -> None:
    await me("POST", "/preferences", PORT)

    routes = [line["route"] for line in log if line["event"] == "api.answered"]
    assert routes == ["/v1/subscribers/me/preferences"]
    assert not any(secret in str(log) for secret in (session, CODE, NUMBER, "10690001"))
