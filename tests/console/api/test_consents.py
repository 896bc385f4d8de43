"""Agreements over the API."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.stores import Stores

Ask = Callable[..., Awaitable[httpx.Response]]

SUBSCRIBER = 8613800138000
NUMBER = "13800138000"
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
TEXT = "同意接收示例商城的促销信息，每月不超过四条"
DIGEST = sha256(TEXT.encode()).hexdigest()
EVIDENCE = {
    "who": "zhang3",
    "when": "2025-11-24T09:30:00+08:00",
    "channel": "web",
    "text": TEXT,
    "scope": "促销信息",
    "valid_until": "2026-11-24",
    "document_sha256": "9c1e" * 16,
}


def agreed(**changes: object) -> dict[str, object]:
    """Return the body for one agreement whose evidence is whole, but for `changes`."""
    evidence = {name: value for name, value in {**EVIDENCE, **changes}.items() if value is not None}
    return {"items": [{"number": NUMBER, "evidence": evidence}]}


async def test_r26_an_agreement_with_whole_evidence_is_agreed(ask: Ask, stores: Stores) -> None:
    answer = await ask("shop", "POST", "/v1/consents", json=agreed())

    assert answer.status_code == 200
    assert answer.json()["items"] == [
        {"number": "138****8000", "answer": "agreed", "recorded": True, "because": []}
    ]
    [kept] = await stores.consent.answers_of({SUBSCRIBER})
    assert (kept.scope, kept.answer, kept.channel) == ("sp1", Answer.AGREED, "api: shop")
    assert kept.since == datetime(2025, 11, 24, 1, 30, tzinfo=UTC)
    assert kept.evidence == (
        "who zhang3; when 2025-11-24T09:30:00+08:00; channel web;"
        f" text sha256:{DIGEST}; scope 促销信息; until 2026-11-24; document sha256:{'9c1e' * 16}"
    )


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("who", "who is missing"),
        ("when", "when is missing"),
        ("channel", "channel is missing"),
        ("text", "text is missing"),
        ("scope", "scope is missing"),
        ("valid_until", "valid_until is missing"),
        ("document_sha256", "message_ids or document_sha256 is missing"),
    ],
)
async def test_r26_an_agreement_that_lacks_evidence_is_asserted_and_told_why(
    ask: Ask, stores: Stores, missing: str, why: str
) -> None:
    answer = await ask("shop", "POST", "/v1/consents", json=agreed(**{missing: None}))

    [item] = answer.json()["items"]
    assert (item["answer"], item["recorded"], item["because"]) == ("asserted", True, [why])
    [kept] = await stores.consent.answers_of({SUBSCRIBER})
    assert kept.answer is Answer.ASSERTED


async def test_r26_a_hundred_agreements_without_evidence_are_asserted(
    ask: Ask, stores: Stores
) -> None:
    items = [{"number": str(SUBSCRIBER + one)} for one in range(100)]

    answer = await ask("shop", "POST", "/v1/consents", json={"items": items})

    assert {item["answer"] for item in answer.json()["items"]} == {"asserted"}
    kept = await stores.consent.answers_of(range(SUBSCRIBER, SUBSCRIBER + 100))
    assert [one.answer for one in kept] == [Answer.ASSERTED] * 100


@pytest.mark.parametrize("body", [agreed(), {"items": [{"number": NUMBER}]}])
async def test_r73_of_a_stranger_who_refused_every_sp_nothing_is_told(
    ask: Ask, stores: Stores, body: dict[str, object]
) -> None:
    refused = ConsentAnswer(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED, NOON, "mo")
    await stores.consent.record([refused])

    answer = await ask("shop", "POST", "/v1/consents", json=body)

    [item] = answer.json()["items"]
    assert (item["answer"], item["recorded"]) == ("none", False)
    assert item["because"] == ["not recorded"]
    assert await stores.consent.answers_of({SUBSCRIBER}) == [refused]


@pytest.mark.parametrize("body", [agreed(), {"items": [{"number": NUMBER}]}])
async def test_r37_an_agreement_over_the_api_overrides_no_refusal(
    ask: Ask, stores: Stores, body: dict[str, object]
) -> None:
    refused = ConsentAnswer(
        SUBSCRIBER, "sp1", Answer.REFUSED, NOON - timedelta(days=90), "mo", "message 17"
    )
    await stores.consent.record([refused])

    answer = await ask("shop", "POST", "/v1/consents", json=body)

    [item] = answer.json()["items"]
    assert (item["answer"], item["recorded"]) == ("refused", False)
    assert "only the subscriber" in item["because"][0]
    assert await stores.consent.answers_of({SUBSCRIBER}) == [refused]


@pytest.mark.parametrize("end", ["2025-11-24", "0001-01-01", "9999-12-31"])
async def test_r20_an_agreement_is_none_after_the_end_that_its_evidence_names(
    ask: Ask, stores: Stores, end: str
) -> None:
    is_past = end < "2026"

    answer = await ask("shop", "POST", "/v1/consents", json=agreed(valid_until=end))
    known = await ask("shop", "POST", "/v1/consents/query", json={"numbers": [NUMBER]})

    [item] = answer.json()["items"]
    assert item["answer"] == ("none" if is_past else "agreed")
    assert known.json()["items"][0]["answer"] == item["answer"]
    [kept] = await stores.consent.answers_of({SUBSCRIBER})
    assert kept.answer is (Answer.ASSERTED if is_past else Answer.AGREED)
    assert kept.until is not None
    assert (kept.until <= NOON) is is_past


@pytest.mark.parametrize(
    "end",
    [
        "2026-11-25T12:00:00Z",
        "2026-11-25T00:00:00",
        "20261125",
        "2026-W48-3",
        "2026-1-1",
        " 2026-11-25",
        "２０２６-11-25",
        "2026-02-30",
        "0000-01-01",
        "",
        "1795564800",
        1795564800,
        1795564800.0,
        True,
    ],
)
async def test_an_end_is_a_day_written_in_one_way(ask: Ask, stores: Stores, end: object) -> None:
    answer = await ask("shop", "POST", "/v1/consents", json=agreed(valid_until=end))

    assert answer.status_code == 422
    assert answer.json()["faults"] == [
        {
            "pointer": "/items/0/evidence/valid_until",
            "problem": "is no day written as text: 2035-12-31",
        }
    ]
    assert await stores.consent.answers_of({SUBSCRIBER}) == []


async def test_recording_agreements_again_is_harmless(ask: Ask, stores: Stores) -> None:
    await ask("shop", "POST", "/v1/consents", json=agreed())
    [before] = await stores.consent.answers_of({SUBSCRIBER})

    again = await ask("shop", "POST", "/v1/consents", json=agreed())

    [item] = again.json()["items"]
    assert (item["answer"], item["recorded"]) == ("agreed", False)
    assert await stores.consent.answers_of({SUBSCRIBER}) == [before]


async def test_evidence_may_rest_on_messages_and_on_the_digest_of_the_text(
    ask: Ask, stores: Stores
) -> None:
    body = agreed(
        text=None, text_sha256=DIGEST, document_sha256=None, message_ids=["817", "order 18"]
    )

    answer = await ask("shop", "POST", "/v1/consents", json=body)

    assert answer.json()["items"][0]["answer"] == "agreed"
    [kept] = await stores.consent.answers_of({SUBSCRIBER})
    assert f"text sha256:{DIGEST}" in kept.evidence
    assert kept.evidence.endswith("messages 817 order 18")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"text_sha256": "0" * 64}, "/items/0/evidence"),
        ({"text_sha256": "xyz"}, "/items/0/evidence/text_sha256"),
        ({"message_ids": ["1"] * 9}, "/items/0/evidence/message_ids"),
        ({"message_ids": ["1" * 41]}, "/items/0/evidence/message_ids/0"),
        ({"who": "a\nb"}, "/items/0/evidence/who"),
        ({"colour": "red"}, "/items/0/evidence"),
    ],
)
async def test_evidence_that_cannot_be_read_is_told_with_its_place(
    ask: Ask, stores: Stores, changes: dict[str, object], pointer: str
) -> None:
    answer = await ask("shop", "POST", "/v1/consents", json=agreed(**changes))

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["faults"]] == [pointer]
    assert await stores.consent.answers_of({SUBSCRIBER}) == []


@pytest.mark.parametrize(
    "when",
    [
        "2025-11-24T09:30:00",
        "2025-11-24",
        "2025-11-24 09:30:00+08:00",
        "2025-02-30T09:30:00+08:00",
        "2025-11-24T25:30:00+08:00",
        "2025-11-24T09:30:00+99:00",
        "２０２５-11-24T09:30:00+08:00",
        "1763947800",
        "yesterday",
        1763947800,
        1763947800000.5,
        True,
        [],
    ],
)
async def test_a_moment_that_is_not_written_with_its_offset_is_told_how_to_be(
    ask: Ask, stores: Stores, when: object
) -> None:
    answer = await ask("shop", "POST", "/v1/consents", json=agreed(when=when))

    assert answer.status_code == 422
    assert answer.json()["faults"] == [
        {
            "pointer": "/items/0/evidence/when",
            "problem": "is no moment written as text with its offset: 2025-11-24T09:30:00+08:00",
        }
    ]
    assert await stores.consent.answers_of({SUBSCRIBER}) == []


@pytest.mark.parametrize(
    "when",
    [
        "2025-11-24T01:30Z",
        "2025-11-24T01:30:00.000Z",
        "2025-11-24T09:30:00+0800",
        "2025-11-24T09:30:00.000000000+08",
        "2025-11-23T20:30:00-05:00",
    ],
)
async def test_a_moment_may_have_any_offset(ask: Ask, stores: Stores, when: str) -> None:
    await ask("shop", "POST", "/v1/consents", json=agreed(when=when))

    [kept] = await stores.consent.answers_of({SUBSCRIBER})
    assert kept.since == datetime(2025, 11, 24, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_moment_at_the_edge_of_time_proves_nothing(ask: Ask, when: str) -> None:
    answer = await ask("shop", "POST", "/v1/consents", json=agreed(when=when))

    assert answer.status_code == 200
    assert answer.json()["items"][0]["answer"] == "asserted"


@pytest.mark.parametrize("client", ["营业厅", "app", "police"])
async def test_only_sps_record_agreements(ask: Ask, client: str) -> None:
    recorded = await ask(client, "POST", "/v1/consents", json=agreed())
    looked_up = await ask(client, "POST", "/v1/consents/query", json={"numbers": [NUMBER]})

    assert (recorded.status_code, looked_up.status_code) == (403, 403)


async def test_r73_an_sp_finds_out_about_its_own_subscribers_and_no_strangers(
    ask: Ask, stores: Stores
) -> None:
    first = SUBSCRIBER
    await stores.consent.record(
        [
            ConsentAnswer(first, "sp1", Answer.AGREED, NOON, "web", "order 7"),
            ConsentAnswer(first + 1, "sp1", Answer.ASSERTED, NOON, "import"),
            ConsentAnswer(first + 2, "sp1", Answer.REFUSED, NOON, "mo"),
            ConsentAnswer(first + 3, "sp1", Answer.AGREED, NOON, "web", "order 8"),
            ConsentAnswer(first + 3, EVERY_SENDER, Answer.REFUSED, NOON, "hall"),
            ConsentAnswer(first + 4, EVERY_SENDER, Answer.REFUSED, NOON, "hall"),
            ConsentAnswer(first + 5, "sp2", Answer.REFUSED, NOON, "mo"),
            ConsentAnswer(first + 6, "sp1", Answer.AGREED, NOON, "web", "order 9"),
            ConsentAnswer(first + 6, EVERY_SENDER, Answer.AGREED, NOON, "hall", "form 1"),
            ConsentAnswer(first + 7, "sp1", Answer.ASSERTED, NOON, "import"),
            ConsentAnswer(first + 7, EVERY_SENDER, Answer.REFUSED, NOON, "hall"),
        ]
    )
    numbers = [str(first + one) for one in range(9)]

    answer = await ask("shop", "POST", "/v1/consents/query", json={"numbers": numbers})

    assert [item["answer"] for item in answer.json()["items"]] == [
        *("agreed", "asserted", "refused", "refused"),
        *("none", "none", "agreed", "asserted", "none"),
    ]
    assert not any(number in answer.text for number in numbers)
