"""What people made of held messages, counted by rule, word and score."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.systems.quarantine.feedback import (
    DecidedHolds,
    DecisionCount,
    Feedback,
    FeedbackKey,
    FeedbackKind,
    FeedbackStore,
)
from gateway.systems.quarantine.model import MessageIds, PersonDecision, lowest_id_at

Builder = Callable[..., HeldMessage]

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED
RULE, WORD, SCORE = FeedbackKind.RULE, FeedbackKind.WORD, FeedbackKind.SCORE


def epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_ids_of_a_moment_and_later_are_not_below_its_lowest() -> None:
    ids = MessageIds(worker=0)

    before, at = ids.next_id(epoch_ms(NOON) - 1), ids.next_id(epoch_ms(NOON))

    assert before < lowest_id_at(epoch_ms(NOON)) <= at


@pytest.mark.every_store
async def test_only_what_a_person_decided_since_then_counts(stores: Stores, held: Builder) -> None:
    ids = MessageIds(worker=1)

    def one(after_s: float = 0, **changes: object) -> HeldMessage:
        at = epoch_ms(NOON + timedelta(seconds=after_s))
        usual: dict[str, object] = {"rule": "K-LOAN", "reason": "CONTENT", "evidence": "贷款"}
        return held(**{**usual, "message_id": ids.next_id(at), **changes})

    await stores.quarantine.hold(
        [
            one(-60, is_reviewed=True),
            one(is_reviewed=True, state=HoldState.RELEASED, score=87),
            one(is_reviewed=True, state=HoldState.REFUSED, score=87),
            one(state=HoldState.DISCARDED, decision="lin: spam"),
            one(state=HoldState.DISCARDED),
            one(),
            one(state=HoldState.EXPIRED),
        ]
    )

    found = await FeedbackStore(stores.quarantine._database).decided_since(NOON)

    assert set(found) == {
        DecidedHolds("K-LOAN", "CONTENT", "贷款", None, REJECTED, 1),
        DecidedHolds("K-LOAN", "CONTENT", "贷款", 87, RELEASED, 2),
    }


def test_decisions_are_counted_by_rule_by_word_and_by_ten_percent_of_scores() -> None:
    told = Feedback()

    told.add(
        [
            DecidedHolds("K-LOAN", "CONTENT", "低息; 贷款", 91, RELEASED, 3),
            DecidedHolds("K-LOAN", "CONTENT", "贷款", None, REJECTED, 9),
            DecidedHolds("R61-model", "SUSPICIOUS", "97 % likely spam", 97, REJECTED, 4),
            DecidedHolds("R61-model", "SUSPICIOUS", "100 % likely spam", 100, REJECTED, 1),
            DecidedHolds("R61-model", "SUSPICIOUS", "58 % likely spam", 58, RELEASED, 2),
            DecidedHolds("R61-campaign", "CAMPAIGN", "one text to 3 people", 58, RELEASED, 1),
        ]
    )

    assert told.counts == {
        FeedbackKey(RULE, "K-LOAN"): DecisionCount(3, 9),
        FeedbackKey(WORD, "K-LOAN", "低息"): DecisionCount(3, 0),
        FeedbackKey(WORD, "K-LOAN", "贷款"): DecisionCount(3, 9),
        FeedbackKey(RULE, "R61-model"): DecisionCount(2, 5),
        FeedbackKey(SCORE, "R61-model", "90 to 100 %"): DecisionCount(0, 5),
        FeedbackKey(SCORE, "R61-model", "50 to 60 %"): DecisionCount(2, 0),
        FeedbackKey(RULE, "R61-campaign"): DecisionCount(1, 0),
    }
    assert told.by_rule() == {"K-LOAN": 12, "R61-model": 7, "R61-campaign": 1}
    assert told.counts[FeedbackKey(RULE, "K-LOAN")].share_released == 0.25
