"""SPs' claims that subscribers agreed: proven, asserted, or refused already (R26, R37)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway.domain.consent import (
    EVERY_SENDER,
    FIRST,
    NUMBERS_AT_ONCE,
    Answer,
    ConsentAnswer,
    end_of,
    stands_against,
)
from gateway.domain.msisdn import readings_of
from gateway.systems.consent.sql import ConsentStore


@dataclass(frozen=True, slots=True)
class ConsentProof:
    """The proof of an SP: who agreed, when and how, to what text, for what and how long.

    `who` is the SP's name for the person who agreed, or who recorded the agreement; `text_sha256`
    is the digest of the text that was shown; `valid_until` is the last day. The proof rests on
    `message_ids` or on a document. Unknown values are None or empty.
    """

    who: str = ""
    when: datetime | None = None
    channel: str = ""
    text_sha256: str = ""
    scope: str = ""
    valid_until: date | None = None
    message_ids: tuple[str, ...] = ()
    document_sha256: str = ""

    @property
    def until(self) -> datetime | None:
        """Return the moment at which the agreement ends; None if no end is stated."""
        return None if self.valid_until is None else end_of(self.valid_until)

    def gaps(self, now: datetime) -> tuple[str, ...]:
        """Return why it proves nothing; empty if the proof is complete."""
        named = {
            "who": self.who,
            "when": self.when,
            "channel": self.channel,
            "text": self.text_sha256,
            "scope": self.scope,
            "valid_until": self.valid_until,
            "message_ids or document_sha256": self.message_ids or self.document_sha256,
        }
        missing = [f"{name} is missing" for name, value in named.items() if not value]
        if self.when is not None and self.when > now:
            missing.append("when lies in the future")
        if self.when is not None and self.when < FIRST:
            missing.append("when lies before 1990")
        if self.until is not None and self.until <= now:
            missing.append("valid_until is past")
        return tuple(missing)

    def in_words(self) -> str:
        """Return all known values as one line, for the record."""
        named = {
            "who": self.who,
            "when": self.when.isoformat() if self.when is not None else "",
            "channel": self.channel,
            "text": self.text_sha256 and f"sha256:{self.text_sha256}",
            "scope": self.scope,
            "until": self.valid_until.isoformat() if self.valid_until is not None else "",
            "messages": " ".join(self.message_ids),
            "document": self.document_sha256 and f"sha256:{self.document_sha256}",
        }
        return "; ".join(f"{name} {value}" for name, value in named.items() if value)


# A refusal that was heard in the last minute may not be on record yet. An agreement is dated
# no later than that, so that the refusal holds over it when it gets there (R37).
UNRECORDED = timedelta(minutes=1)

REFUSED = "the subscriber refused, and only the subscriber takes that back (R37)"
PROVEN = "a proven agreement is on record, and stays (R37)"
# Neither whom else a subscriber refused nor that it refused all is any business of an SP that
# it never answered: the SP could go through every number there is (R73).
NOT_RECORDED = "not recorded"
ENDED = "the agreement has ended: a new one counts, with its evidence"
KNOWN = "the same or a later agreement is on record"


@dataclass(frozen=True, slots=True)
class Claim:
    """An SP says that `msisdn` agreed, and with what it can prove that."""

    msisdn: int = field(repr=False)
    proof: ConsentProof


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """What stands for the claim's number now, whether that is the claim's doing, and why.

    `answer` is what the SP may know: None where the number has none for it.
    """

    answer: Answer | None
    is_recorded: bool
    because: tuple[str, ...] = ()


class Claims:
    """Takes claims down. A claim without whole evidence is recorded as asserted."""

    def __init__(self, store: ConsentStore) -> None:
        self._store = store

    async def take(
        self, system_id: str, claims: Sequence[Claim], by: str, now: datetime
    ) -> list[ClaimOutcome]:
        """Record those of `claims` that may be; return what came of each, in their order.

        A refusal, of this SP or of all, stays. It is looked for before anything is recorded,
        and one that comes in between holds by its date. `by` names the API's client. Raises
        StoreUnavailable: nothing was recorded then. May be repeated.
        """
        on_record = await self._on_record(readings_of([claim.msisdn for claim in claims]))
        outcomes: list[ClaimOutcome] = []
        new: list[ConsentAnswer] = []
        for claim in claims:
            wanted, gaps = _answer(system_id, claim, by, now)
            outcome = _outcome(wanted, gaps, on_record, now)
            outcomes.append(outcome)
            if outcome.is_recorded:
                new.append(wanted)
                on_record[claim.msisdn, system_id] = wanted
        if new:
            await self._store.record(new)
        return outcomes

    async def _on_record(self, numbers: Sequence[int]) -> dict[tuple[int, str], ConsentAnswer]:
        found: dict[tuple[int, str], ConsentAnswer] = {}
        for start in range(0, len(numbers), NUMBERS_AT_ONCE):
            for row in await self._store.answers_of(numbers[start : start + NUMBERS_AT_ONCE]):
                found[row.msisdn, row.scope] = row
        return found


def _answer(
    system_id: str, claim: Claim, by: str, now: datetime
) -> tuple[ConsentAnswer, tuple[str, ...]]:
    """Return the answer that `claim` is worth, and what it lacks to be worth more."""
    proof, gaps = claim.proof, claim.proof.gaps(now)
    words = proof.in_words()
    answer, since = Answer.ASSERTED, now
    if not gaps and proof.when is not None:
        answer, since = Answer.AGREED, min(proof.when, now - UNRECORDED)
    return ConsentAnswer(claim.msisdn, system_id, answer, since, by, words, proof.until), gaps


def _outcome(
    wanted: ConsentAnswer,
    gaps: tuple[str, ...],
    on_record: Mapping[tuple[int, str], ConsentAnswer],
    now: datetime,
) -> ClaimOutcome:
    """Return what becomes of `wanted` where `on_record` is what was said before."""
    own = on_record.get((wanted.msisdn, wanted.scope))
    if _is_refused(wanted, own, on_record):
        if own is None or own.answer is Answer.ASSERTED:
            known = None if own is None else own.answer
            return ClaimOutcome(known, is_recorded=False, because=(NOT_RECORDED,))
        return ClaimOutcome(Answer.REFUSED, is_recorded=False, because=(REFUSED,))
    if own is None or wanted.holds_over(own):
        return ClaimOutcome(wanted.standing(now), is_recorded=True, because=gaps)
    if own.standing(now) is None:
        return ClaimOutcome(None, is_recorded=False, because=(ENDED, *gaps))
    why = PROVEN if wanted.answer is Answer.ASSERTED else KNOWN
    return ClaimOutcome(own.answer, is_recorded=False, because=(why, *gaps))


def _is_refused(
    wanted: ConsentAnswer,
    own: ConsentAnswer | None,
    on_record: Mapping[tuple[int, str], ConsentAnswer],
) -> bool:
    """Tell whether the number refused, or whom it may be read as since it agreed itself."""
    found = (
        on_record.get((one, to))
        for one in readings_of([wanted.msisdn])
        for to in (wanted.scope, EVERY_SENDER)
    )
    return any(one is not None and stands_against(one, wanted.msisdn, own) for one in found)
