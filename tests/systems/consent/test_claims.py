"""Claims of SPs against what is on record."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.stores import Stores
from gateway.systems.consent.service import (
    ENDED,
    KNOWN,
    NOT_RECORDED,
    PROVEN,
    REFUSED,
    Claim,
    ClaimOutcome,
    Claims,
    ConsentProof,
)
from gateway.systems.consent.sql import ConsentStore

SUBSCRIBER = 8613800138000
NOW = datetime(2025, 11, 25, 12, tzinfo=UTC)
WHOLE = ConsentProof(
    who="zhang3",
    when=NOW - timedelta(days=1),
    channel="web",
    text_sha256="0" * 64,
    scope="促销信息",
    valid_until=date(2026, 11, 24),
    message_ids=("817",),
)
NOTHING = ConsentProof()


@pytest.fixture
def store(stores: Stores) -> ConsentStore:
    return stores.consent


async def take(
    store: ConsentStore, *proofs: ConsentProof, now: datetime = NOW
) -> list[ClaimOutcome]:
    claims = [Claim(SUBSCRIBER, proof) for proof in proofs]
    return await Claims(store).take("sp1", claims, "api: shop", now)


def said(answer: Answer, since: datetime, scope: str = "sp1") -> ConsentAnswer:
    return ConsentAnswer(SUBSCRIBER, scope, answer, since, "mo", "message 1")


async def test_a_proven_claim_is_dated_as_it_says(store: ConsentStore) -> None:
    [outcome] = await take(store, WHOLE)

    kept = await store.answer_of(SUBSCRIBER, "sp1")
    assert outcome == ClaimOutcome(Answer.AGREED, is_recorded=True)
    assert kept is not None
    assert (kept.answer, kept.since, kept.channel) == (Answer.AGREED, WHOLE.when, "api: shop")


async def test_r20_a_claim_counts_through_the_last_day_that_its_evidence_names(
    store: ConsentStore,
) -> None:
    await take(store, WHOLE)

    kept = await store.answer_of(SUBSCRIBER, "sp1")

    assert kept is not None
    assert kept.until == datetime(2026, 11, 24, 16, tzinfo=UTC)


async def test_r20_where_an_agreement_has_ended_only_a_new_one_with_its_evidence_counts(
    store: ConsentStore,
) -> None:
    later = datetime(2026, 11, 25, 12, tzinfo=UTC)
    anew = replace(WHOLE, when=later - timedelta(hours=1), valid_until=date(2027, 11, 24))
    await take(store, WHOLE)

    [again, asserted] = await take(store, WHOLE, NOTHING, now=later)
    [renewed] = await take(store, anew, now=later)

    assert (again.answer, again.is_recorded) == (None, False)
    assert again.because == (ENDED, "valid_until is past")
    assert (asserted.answer, asserted.is_recorded, asserted.because[0]) == (None, False, ENDED)
    assert renewed == ClaimOutcome(Answer.AGREED, is_recorded=True)


async def test_what_is_asserted_with_a_past_end_counts_for_nothing(store: ConsentStore) -> None:
    [outcome] = await take(store, replace(NOTHING, valid_until=date(2025, 11, 23)))

    assert (outcome.answer, outcome.is_recorded) == (None, True)
    assert "valid_until is past" in outcome.because


async def test_r37_a_refusal_that_is_not_on_record_yet_holds_over_a_claim_of_this_moment(
    store: ConsentStore,
) -> None:
    refused = said(Answer.REFUSED, NOW - timedelta(seconds=30))

    await take(store, replace(WHOLE, when=NOW))
    await store.record([refused])

    assert await store.answer_of(SUBSCRIBER, "sp1") == refused


async def test_r37_a_refusal_that_comes_between_the_look_and_the_record_holds(
    store: ConsentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = said(Answer.REFUSED, NOW)
    look = store.answers_of

    async def look_and_then_refuse(msisdns: Collection[int]) -> list[ConsentAnswer]:
        found = await look(msisdns)
        await store.record([refused])
        return found

    monkeypatch.setattr(store, "answers_of", look_and_then_refuse)

    await take(store, replace(WHOLE, when=NOW))

    assert await store.answer_of(SUBSCRIBER, "sp1") == refused


@pytest.mark.parametrize("scope", ["sp1", EVERY_SENDER])
@pytest.mark.parametrize("proof", [WHOLE, NOTHING])
async def test_r37_a_refusal_on_record_stays_whatever_is_claimed(
    store: ConsentStore, scope: str, proof: ConsentProof
) -> None:
    await store.record([said(Answer.AGREED, NOW - timedelta(days=91))])
    await store.record([said(Answer.REFUSED, NOW - timedelta(days=90), scope)])

    assert await take(store, proof) == [
        ClaimOutcome(Answer.REFUSED, is_recorded=False, because=(REFUSED,))
    ]


@pytest.mark.parametrize(
    ("own", "days_later", "is_recorded"),
    [
        (None, 0, False),
        (Answer.ASSERTED, 1, False),
        (Answer.AGREED, 1, True),
        (Answer.AGREED, 0, False),
        (Answer.AGREED, -1, False),
    ],
)
async def test_r37_a_refusal_typed_without_its_plus_stays_unless_the_number_agreed_itself_since(
    store: ConsentStore, own: Answer | None, days_later: int, *, is_recorded: bool
) -> None:
    number, read_as, refused_at = 14165550123, 8614165550123, NOW - timedelta(days=90)
    await store.record([ConsentAnswer(read_as, "sp1", Answer.REFUSED, refused_at, "hall")])
    if own is not None:
        answered_at = refused_at + timedelta(days=days_later)
        await store.record([ConsentAnswer(number, "sp1", own, answered_at, "mo", "message 1")])

    [outcome] = await Claims(store).take("sp1", [Claim(number, WHOLE)], "api: shop", NOW)

    assert outcome.is_recorded is is_recorded


@pytest.mark.parametrize("own", [None, Answer.ASSERTED])
@pytest.mark.parametrize("proof", [WHOLE, NOTHING])
async def test_r73_of_a_stranger_who_refused_every_sp_no_reason_is_told(
    store: ConsentStore, proof: ConsentProof, own: Answer | None
) -> None:
    await store.record([said(Answer.REFUSED, NOW - timedelta(days=90), EVERY_SENDER)])
    if own is not None:
        await store.record([said(own, NOW - timedelta(days=80))])
    before = await store.answers_of({SUBSCRIBER})

    assert await take(store, proof) == [
        ClaimOutcome(own, is_recorded=False, because=(NOT_RECORDED,))
    ]
    assert await store.answers_of({SUBSCRIBER}) == before


async def test_an_assertion_leaves_a_proof_as_it_is(store: ConsentStore) -> None:
    proof = said(Answer.AGREED, NOW - timedelta(days=90))
    await store.record([proof])

    [outcome] = await take(store, replace(WHOLE, scope=""))

    assert outcome.answer is Answer.AGREED
    assert outcome.because == (PROVEN, "scope is missing")
    assert await store.answer_of(SUBSCRIBER, "sp1") == proof


async def test_a_proof_replaces_an_assertion(store: ConsentStore) -> None:
    await take(store, NOTHING)

    [outcome] = await take(store, WHOLE)

    assert outcome == ClaimOutcome(Answer.AGREED, is_recorded=True)


async def test_an_older_proof_changes_nothing(store: ConsentStore) -> None:
    await store.record([said(Answer.AGREED, NOW)])

    assert await take(store, WHOLE) == [
        ClaimOutcome(Answer.AGREED, is_recorded=False, because=(KNOWN,))
    ]


async def test_of_claims_for_one_number_each_meets_what_the_one_before_left(
    store: ConsentStore,
) -> None:
    outcomes = await take(store, WHOLE, NOTHING, WHOLE)

    assert [outcome.is_recorded for outcome in outcomes] == [True, False, False]
    assert [outcome.answer for outcome in outcomes] == [Answer.AGREED] * 3
