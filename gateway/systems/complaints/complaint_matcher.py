"""Decides which complaints are valid, and puts those of one campaign into one case (R82)."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple, Protocol

import structlog

from gateway.domain.categories import Harm, TrafficClass, category_of, harm_of
from gateway.domain.records import RecordProof, ReportedMessage
from gateway.domain.warning import Severity
from gateway.filter.campaigns import BandIndex, CampaignLimits, campaign_id
from gateway.filter.classifier.score import Scorer
from gateway.filter.facts import shown_by
from gateway.filter.fingerprints import (
    MAX_CHARS,
    Fingerprint,
    fingerprint_of,
    fingerprints_of,
    sound_of_text,
)
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.normalise.views import Views
from gateway.systems.complaints.model import (
    MOST_AT_ONCE,
    Complaint,
    ComplaintState,
    InvalidReason,
    china_day,
)
from gateway.systems.complaints.sql import ComplaintStore

log = structlog.get_logger()

# What is older than this when it is reported cannot be looked into any more (R82).
WINDOW = timedelta(days=30)
# The same complaint of the same reporter counts once in this time.
WITHIN = timedelta(hours=72)
# A reporter may name the time of a message by its day alone.
_BEFORE, _AFTER = timedelta(hours=6), timedelta(hours=30)
# Campaigns that a text is compared with, and the spellings of each that are remembered.
MOST_CAMPAIGNS = 20_000
_MOST_SPELLINGS = 5 * MOST_CAMPAIGNS
# How long after its end a case is known by texts that differ a little: so long it is opened again.
_KNOWN_FOR = timedelta(days=30)
# Campaigns that one reporter may begin on a day, and all together that one client only names: what
# else they complain of on that day is one more for each carrier that must act.
MOST_BEGUN, MOST_BEGUN_BY_CLIENT = 10, 200
_REST = "rest-"
_HERE = "."  # no carrier is called so
_LIKELY = 0.5  # the probability of spam above which its category counts
_AGREEING = CampaignLimits().agreeing
_SEVERITIES = {
    Harm.ADVERT: Severity.GENERAL,
    Harm.ILLEGAL: Severity.SERIOUS,
    Harm.FRAUD: Severity.MAJOR,
}


class ValidComplaint(NamedTuple):
    """A valid complaint and what its case needs to know."""

    complaint: Complaint
    campaign: str
    category: str
    severity: Severity


class CaseTaker(Protocol):
    """Puts valid complaints into cases; every call raises StoreUnavailable."""

    async def take(self, given: Sequence[ValidComplaint]) -> Sequence[tuple[int, int, str]]:
        """Return of each its number, that of its case, and the act: open, join, reopen or "".

        Safe to repeat; "" where it was in a case before.
        """

    async def campaigns_since(self, since: datetime, limit: int) -> Sequence[tuple[str, int]]:
        """Return campaigns of cases not closed before then, each with the number of a complaint."""


class MessageRecords(Protocol):
    """Records of what passed."""

    def search(self, reported: Sequence[ReportedMessage]) -> RecordProof:
        """Return which messages passed, and which may have. Blocks, and never raises."""

    def stop(self) -> None:
        """Let a search end that another thread makes."""


@dataclass(slots=True)
class MatchCounts:
    """What rounds did: complaints that are valid, invalid by reason, and what cases did."""

    valid: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    has_more: bool = False

    @property
    def handled(self) -> int:
        """Return how many complaints were decided or put into a case."""
        return max(self.valid + self.invalid.total(), self.cases.total())

    def add(self, other: "MatchCounts") -> None:
        """Count what another round did."""
        self.valid += other.valid
        self.invalid += other.invalid
        self.cases += other.cases
        self.has_more = other.has_more


class RecentCampaigns:
    """Campaigns of the newest cases, found by texts that differ a little.

    Texts are compared with the first of each campaign, so that campaigns do not drift into each
    other. The oldest make room. Whether a complaint joins the case of its campaign, opens it again
    or begins another is for the case to tell.
    """

    def __init__(self, most: int = MOST_CAMPAIGNS) -> None:
        self._index = BandIndex(most)
        self._by_slot: list[str | None] = [None] * most
        self._next = 0
        self._by_id: OrderedDict[str, str] = OrderedDict()

    def campaign_of(self, text: Fingerprint) -> str:
        """Return the campaign of a text; it begins one if it has none."""
        campaign = self.known(text)
        if campaign is None:
            campaign = campaign_id(text)
            self.put(campaign, text)
        return campaign

    def known(self, text: Fingerprint) -> str | None:
        """Return the campaign of a text, None if it has none."""
        own = campaign_id(text)
        campaign = self._by_id.get(own) or self._alike(text)
        if campaign is not None:
            self._remember(own, campaign)
        return campaign

    def put(self, name: str, text: Fingerprint) -> None:
        """Keep a campaign with its text."""
        self._remember(name, name)
        if text.signs is not None:
            self._index.put(self._next, text.signs)
            self._by_slot[self._next] = name
            self._next = (self._next + 1) % len(self._by_slot)

    def _alike(self, text: Fingerprint) -> str | None:
        if text.signs is None:
            return None
        slot, agreeing = self._index.most_alike(text.signs)
        return self._by_slot[slot] if agreeing >= _AGREEING else None

    def _remember(self, name: str, campaign: str) -> None:
        self._by_id[name] = campaign
        self._by_id.move_to_end(name)
        if len(self._by_id) > _MOST_SPELLINGS:
            self._by_id.popitem(last=False)


class _DayOfCampaigns:
    """How many campaigns each reporter has begun on a day in China.

    Reporters who are only named count as one with all that the same client names.
    """

    def __init__(self) -> None:
        self._day: date | None = None
        self._begun: Counter[object] = Counter()
        self._rests: dict[object, str] = {}

    def rest_of(self, one: Complaint, carrier: str) -> str | None:
        """Return the campaign for what is over the limit; None if `one` begins one of its own.

        It has senders of one carrier alone: a case of several is not dispatched.
        """
        day = china_day(one.taken_at)
        if day != self._day:
            self._day = day
            self._begun.clear()
            self._rests.clear()
        if one.is_proved and one.reporter is None:
            return None  # an authority or a carrier, which answers for it
        who, most = (
            (one.reporter, MOST_BEGUN)
            if one.is_proved
            else ((one.source, one.by), MOST_BEGUN_BY_CLIENT)
        )
        if self._begun[who] < most:
            self._begun[who] += 1
            return None
        return self._rests.setdefault((who, carrier), f"{_REST}{one.number}")


class ComplaintMatcher:
    """Works complaints off: valid or not, and the case of those that are.

    One works at a time, and each step may be repeated after a kill at any moment. `records`
    prove that a message of an SP here passed; without them it is taken for granted. `keywords`
    give a text a category if its reporter gives none, else the `classifier` if it takes it for
    spam: its word counts for the case alone, for no complaint is invalid by a guess. `carrier_of`
    names the carrier of a sender that is no port here, "" for one that is not known.
    """

    def __init__(
        self,
        store: ComplaintStore,
        cases: CaseTaker,
        records: MessageRecords | None = None,
        keywords: KeywordIndex | None = None,
        classifier: Scorer | None = None,
        carrier_of: Callable[[str], str] = lambda _sender: "",
    ) -> None:
        self._classifier = classifier
        self._carrier_of = carrier_of
        self._store = store
        self._cases = cases
        self._records = records
        self._keywords = keywords
        self._campaigns: RecentCampaigns | None = None
        self._begun = _DayOfCampaigns()

    def stop(self) -> None:
        """Let a search of records end, once its result is not waited for."""
        if self._records is not None:
            self._records.stop()

    async def work(self, now: datetime) -> MatchCounts:
        """Work off at most 500 complaints of each step, the oldest; raises StoreUnavailable."""
        if self._campaigns is None:
            self._campaigns = await self._recent(now)
        counts = MatchCounts()
        received = await self._store.waiting(ComplaintState.RECEIVED, MOST_AT_ONCE)
        if received:
            reasons = await self._reasons(received)
            await self._store.judge(reasons)
            counts.valid = sum(why is None for why in reasons.values())
            counts.invalid.update(why.value for why in reasons.values() if why is not None)
        valid = await self._store.waiting(ComplaintState.VALID, MOST_AT_ONCE)
        if valid:
            await self._cluster(valid, self._campaigns, counts)
        counts.has_more = MOST_AT_ONCE in {len(received), len(valid)}
        if counts.handled:
            log.info("complaints.matched", valid=counts.valid, invalid=counts.invalid.total())
        return counts

    async def _cluster(
        self, valid: Sequence[Complaint], campaigns: RecentCampaigns, counts: MatchCounts
    ) -> None:
        prints = fingerprints_of([sound_of_text(one.text) for one in valid])
        given: list[ValidComplaint] = []
        categories = await self._categories(valid)
        for one, text in zip(valid, prints, strict=True):
            category = categories[one.number]
            campaign = (
                campaigns.known(text)
                or self._begun.rest_of(one, _HERE if one.port else self._carrier_of(one.sender))
                or campaigns.campaign_of(text)
            )
            given.append(ValidComplaint(one, campaign, category, _SEVERITIES[harm_of(category)]))
        joined = await self._cases.take(given)
        await self._store.cluster({complaint: case for complaint, case, _ in joined})
        counts.cases.update(act or "known" for _, _, act in joined)

    async def _reasons(self, given: Sequence[Complaint]) -> dict[int, InvalidReason | None]:
        """Return why each complaint is invalid, None for those that are valid."""
        repeated = await self._store.repeated(given, WITHIN)
        own = [_reported(one) for one in given if one.port and not _is_late(one)]
        proof = RecordProof(frozenset(one.number for one in own), frozenset())
        if self._records is not None and own:
            # Hours of records are read: the loop goes on meanwhile.
            proof = await asyncio.to_thread(self._records.search, own)
        reasons: dict[int, InvalidReason | None] = {}
        for one in given:
            before = repeated.get(one.number, ())
            reasons[one.number] = self._reason_of(
                one,
                is_repeated=any(reasons.get(number) is None for number in before),
                is_proven=not one.port or one.number in proof.passed | proof.unread,
            )
        return reasons

    def _reason_of(
        self, one: Complaint, *, is_repeated: bool, is_proven: bool
    ) -> InvalidReason | None:
        if _is_late(one):
            return InvalidReason.OUT_OF_WINDOW
        if is_repeated:
            return InvalidReason.DUPLICATE
        if not is_proven:
            return InvalidReason.NO_RECORD
        has_agreed = one.agreed_since is not None and one.came_at >= one.agreed_since
        if has_agreed and harm_of(self._category_of(one)) is Harm.ADVERT and _is_advert(one.text):
            return InvalidReason.CONSENTED
        return None

    def _category_of(self, one: Complaint) -> str:
        """Return what a complaint is about: by its reporter, else by the lists, "" if unknown."""
        if one.category or self._keywords is None:
            return one.category
        hits = self._keywords.search((one.text[:MAX_CHARS],), one.taken_at.date())
        found = (category_of(hit.category) for hit in hits)
        return next((category.id for category in found if category is not None), "")

    async def _categories(self, valid: Sequence[Complaint]) -> dict[int, str]:
        """Return the category of each complaint by its number; the classifier's where no other."""
        found = {one.number: self._category_of(one) for one in valid}
        unknown = [one for one in valid if not found[one.number]]
        if self._classifier is not None and unknown:
            views = [Views(one.text[:MAX_CHARS]) for one in unknown]
            scores = await asyncio.to_thread(self._classifier.score, views)
            for one, said in zip(unknown, scores, strict=True):
                if said.probability > _LIKELY:
                    found[one.number] = said.category
        return found

    async def _recent(self, now: datetime) -> RecentCampaigns:
        campaigns = RecentCampaigns()
        known = await self._cases.campaigns_since(now - _KNOWN_FOR, MOST_CAMPAIGNS)
        for some in _pages(known):
            texts = await self._store.texts_of([number for _, number in some])
            for name, number in some:
                if number in texts and not name.startswith(_REST):
                    text = fingerprint_of(sound_of_text(texts[number]))
                    campaigns.put(name, text)
        return campaigns


def _pages(known: Sequence[tuple[str, int]]) -> Iterable[Sequence[tuple[str, int]]]:
    return (known[at : at + MOST_AT_ONCE] for at in range(0, len(known), MOST_AT_ONCE))


def _is_late(one: Complaint) -> bool:
    return one.taken_at - one.came_at > WINDOW


def _reported(one: Complaint) -> ReportedMessage:
    if one.received_at is not None:
        since, until = one.received_at - _BEFORE, one.received_at + _AFTER
    else:
        since, until = one.reported_at - WINDOW, one.reported_at + _BEFORE
    return ReportedMessage(one.number, one.port, one.reporter, one.text, since, until)


def _is_advert(text: str) -> bool:
    return shown_by(text[:MAX_CHARS]).traffic is TrafficClass.COMMERCIAL
