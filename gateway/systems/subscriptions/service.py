"""Handle subscribers' messages, SPs' consent requests and timeouts in the subscription store."""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import blake2b

from gateway.domain.consent import Answer, ConsentAnswer, day_of, end_of
from gateway.domain.subscription import (
    ASKED_STATES,
    Event,
    MessageEvidence,
    Subscription,
    SubscriptionAct,
    advance,
)
from gateway.policy.replies import key_of
from gateway.storage.errors import StoreUnavailable
from gateway.systems.subscriptions.dialogue import Dialogue, Word, WordOutcome, digest_of
from gateway.systems.subscriptions.model import (
    Changes,
    ConsentAnswers,
    ConsentRequest,
    ConsentRequestState,
    SubscriptionStep,
)
from gateway.systems.subscriptions.sql import SubscriptionStore

_CHINESE_DIGITS = {word: place for place, word in enumerate("零一二三四五六七八九")} | {"两": 2}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {word: place for place, word in enumerate(_NUMBERS, start=1)} | {
    "a": 1,
    "an": 1,
    "twelve": 12,
}
_COUNT = "[0-9]{1,4}|半|[一二两三四五六七八九十]{1,3}"
# Only periods of the agreement: 三天内回复 is the time to reply.
_PERIOD = re.compile(
    rf"(?:为期|期限|有效期|时效)(?:为|是)?[\s:]{{0,3}}({_COUNT})\s?"
    "(天|日|周|个?星期|个半?月|月|个?季度|年半?)"
)
_PERIOD_EN = re.compile(
    rf"\b(?:for|valid) (?:up to )?([0-9]{{1,4}}|{'|'.join(_WORDS)})"
    r" (day|week|month|quarter|year)s?\b"
)
# A last day: a date after a word for it, or after the first day of a range. The first day of a
# range is not the last day, even after 有效期.
_TO = r"日?起?\s?(?:[-~–—]{1,2}|至|到)\s?"
_DAY = "([0-9]{4})[年./-]([0-9]{1,2})([月./-])([0-9]{1,2})"
_THROUGH = re.compile(
    r"(?:至|到|截止|until|through|(?:有效期|期限|时效)(?:为|是)?"
    r"|[0-9][月./-][0-9]{1,2}日?\s?[-~–—]{1,2})"
    rf"[\s:]{{0,3}}{_DAY}(?![0-9])(?!{_TO}[0-9]{{1,4}}[年月./-])"
)
# The second day is written like the first: 2026年1月1日到3.5折 is not a range.
_WITHIN_A_YEAR = re.compile(rf"{_DAY}{_TO}([0-9]{{1,2}})\3([0-9]{{1,2}})(?![0-9]|[./-][0-9])")
# The hour of a day adds nothing to the day: until 24时 means through it, and 9:00-18:00 is not a
# range of days.
_CLOCK = (
    "(?:[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
    "|(?:[0-9]{1,2}|[零一二两三四五六七八九十]{1,3})[时点](?:整|半|一刻|[0-9]{1,2}分?)?)"
)
_HOUR = re.compile(
    rf"(?:(?<=日)|(?<=[0-9])(?=[\s(t上下中早晚凌]))[\s(t]{{0,2}}"
    rf"(?:上午|下午|中午|早上|晚上|凌晨)?\s?{_CLOCK}(?:\s?[ap]m\b)?\)?"
)
_LONGEST_MONTH = 31
_MONTHS = {"月": 1, "季度": 3, "年": 12, "month": 1, "quarter": 3, "year": 12}
_DAYS = {"天": 1, "日": 1, "周": 7, "星期": 7, "day": 1, "week": 7}
_HALF_MONTH = timedelta(days=15)
_MOST_MONTHS = 12 * 100


def last_day_of(text: str, asked: date) -> date | None:
    """Return the last day of the consent that `text`, sent on the day `asked`, asks for.

    What is read: 为期, 期限, 有效期 or 时效 with a count of days, weeks, months, quarters or years
    (为期一年半, 有效期: 90天); "for" and "valid" likewise in English; a whole date after 至, 到,
    截止, until, through, 有效期, 期限 or 时效 (有效期至2026年6月30日); the second date of a range,
    with its year or without (2026.01.01-2026.12.31, 2026年1月1日0时至3月31日24时). The 30th of
    February is its last day. A date on or before the day `asked` is about something else
    (截至2024-10-01已有百万用户). None if no end is understood, as for 长期, 年底, 至12月31日: then
    the agreement has no end. If there are several ends, the earliest counts.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return min(_ends(_HOUR.sub("", plain), asked), default=None)


def _ends(text: str, asked: date) -> Iterator[date]:
    for count, unit in _PERIOD.findall(text):
        yield from _after(asked, _counted(count), unit)
    for count, unit in _PERIOD_EN.findall(text):
        yield from _after(asked, float(_WORDS.get(count) or count), unit)
    for year, month, day in _last_days(text):
        try:
            last = _day_or_last(year, month, day)
        except ValueError:
            continue  # no such day
        if last > asked:
            yield last


def _last_days(text: str) -> Iterator[tuple[int, int, int]]:
    for year, month, _, day in _THROUGH.findall(text):
        yield int(year), int(month), int(day)
    for year, first_month, _, first_day, month, day in _WITHIN_A_YEAR.findall(text):
        is_next_year = (int(month), int(day)) < (int(first_month), int(first_day))
        yield int(year) + is_next_year, int(month), int(day)


def _counted(words: str) -> float:
    if words == "半":
        return 0.5
    if words.isdecimal():
        return float(words)
    tens, ten, ones = words.rpartition("十") if "十" in words else ("", "", words)
    if not ten:
        return float(_CHINESE_DIGITS.get(ones, 0))
    return 10.0 * _CHINESE_DIGITS.get(tens, 1 if not tens else 0) + _CHINESE_DIGITS.get(ones, 0)


def _after(asked: date, count: float, unit: str) -> Iterator[date]:
    """Yield the day `count` units after `asked`; nothing if it is too far away to mean anything."""
    is_and_a_half, base = "半" in unit, unit.replace("半", "").removeprefix("个")
    number = count + 0.5 * is_and_a_half
    if base in _DAYS:
        days = number * _DAYS[base]
        if 0 < days <= 30 * _MOST_MONTHS:
            yield asked + timedelta(days=round(days))
        return
    months = number * _MONTHS[base]
    if 0 < months <= _MOST_MONTHS:
        yield _months_later(asked, int(months)) + (months % 1 > 0) * _HALF_MONTH


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return _day_or_last(year, month + 1, day.day)


def _day_or_last(year: int, month: int, day: int) -> date:
    """Return the day, or the last day of a month that is shorter. Raises ValueError if invalid."""
    last = monthrange(year, month)[1]
    return date(year, month, last if last < day <= _LONGEST_MONTH else day)


MAX_CHARS = 1000
_BITS = 64
_SPAN = 2  # characters, about the length of a Chinese word
# Texts of 60 characters in which some words differ are 3 to 12 bits apart, others about 32.
_MAX_DISTANCE = 12
_DIGITS = re.compile(r"\d")
ANSWER_WITHIN = timedelta(hours=24)
NO_REPLY_CHANNEL = "no_reply"
_PROVEN = frozenset({Answer.AGREED, Answer.REFUSED})
_ATTEMPTS = 3
_AT_ONCE = 500


def likeness_of(text: str) -> int:
    """Return the simhash of `text`: width, case, script, punctuation and digits do not count."""
    letters = _DIGITS.sub("", key_of(text[:MAX_CHARS]))
    spans = {letters[at : at + _SPAN] for at in range(max(1, len(letters) - _SPAN + 1))}
    votes = [0] * _BITS
    for span in spans:
        digest = blake2b(span.encode("utf-8", "surrogatepass"), digest_size=_BITS // 8).digest()
        bits = int.from_bytes(digest, "big")
        for bit in range(_BITS):
            votes[bit] += 1 if bits >> bit & 1 else -1
    return sum(1 << bit for bit, vote in enumerate(votes) if vote > 0)


def is_alike(one: int, other: int) -> bool:
    """Tell whether two simhashes belong to similar texts."""
    return (one ^ other).bit_count() <= _MAX_DISTANCE


class SubscriptionDesk:
    """Stores what the dialogue decides; with concurrent callers each step is taken once.

    Every call raises StoreUnavailable, and may be repeated then.
    """

    def __init__(
        self, store: SubscriptionStore, consent: ConsentAnswers, dialogue: Dialogue
    ) -> None:
        self._dialogue = dialogue
        self._store = store
        self._consent = consent

    async def hear(self, word: Word, now: datetime) -> WordOutcome:
        """Decide the outcome of a message, store it, and return it."""
        for _ in range(_ATTEMPTS):
            known = await self._store.known(word.msisdn, word.port, now)
            outcome = self._dialogue.outcome_of(word, known, now)
            if outcome.changes.is_empty or await self._store.keep(outcome.changes):
                return outcome
        raise StoreUnavailable("others change the same subscription all the time")

    async def sent(
        self, subscription: Subscription, said: MessageEvidence, *, is_taken: bool
    ) -> None:
        """Note the SMSC's id of a request for a yes, or that the SMSC did not accept it."""
        await self._store.note_sent(subscription, said, is_taken=is_taken)

    async def asked(
        self,
        system_id: str,
        msisdn: int,
        text: str,
        now: datetime,
        message_id: str = "",
        port: str = "",
    ) -> bool:
        """Record a consent request that an SP wants to send; tell whether it may be sent (R23).

        A request is allowed once for each content and similar contents, for ever: not again
        after a no, nor after silence, which counts as a no. The gateway waits 24 hours for a
        yes to the `port` that asks. Meanwhile, and while an order waits for a yes, no other
        request is allowed: requests that differ in a template's free variables would be
        advertising (R20). The same message, by its `message_id`, is allowed again while its
        request is open: it was not sent yet. The caller must handle requests to one subscriber
        one after the other: two similar ones at once would both be allowed.
        """
        likeness = likeness_of(text)
        before = await self._store.requests_of(msisdn, system_id)
        if message_id and any(
            request.message_id == message_id and request.is_open(now) for request in before
        ):
            return True
        if any(request.is_open(now) or is_alike(likeness, request.likeness) for request in before):
            return False
        known = await self._store.known(msisdn, port, now)
        if any(
            one.system_id == system_id and one.state in ASKED_STATES for one in known.subscriptions
        ):
            return False
        until, last_day = now + ANSWER_WITHIN, last_day_of(text, day_of(now))
        request = ConsentRequest(
            msisdn,
            system_id,
            likeness,
            digest_of(text),
            now,
            until,
            message_id=message_id,
            port=port,
            agreed_until=None if last_day is None else end_of(last_day),
        )
        return await self._store.ask(request)

    async def unasked(self, system_id: str, msisdn: int, message_id: str) -> None:
        """Forget a request that was not sent, so that its sender may try again."""
        for request in await self._store.requests_of(msisdn, system_id):
            if request.message_id == message_id:
                await self._store.unask(request)

    async def sweep(self, now: datetime) -> int:
        """End what is past its time: requests without a yes, and trials (R23 to R25).

        Returns how many were ended; the number for one call is limited, so call it again soon.
        """
        lapsed = 0
        for subscription in await self._store.due(now, _AT_ONCE):
            after = advance(subscription, Event(SubscriptionAct.LAPSE), now)
            if isinstance(after, Subscription):
                lapsed += await self._store.keep(
                    Changes((SubscriptionStep(after, SubscriptionAct.LAPSE),))
                )
        for request in await self._store.requests_due(now, _AT_ONCE):
            # The refusal first: if the store fails between the two, the request is found again.
            await self._note_silence(request)
            silent = replace(request, state=ConsentRequestState.NO_REPLY)
            lapsed += await self._store.keep(Changes(requests=(silent,)))
        return lapsed

    async def forget_sessions(self, now: datetime) -> int:
        """Delete dialogue sessions that are over; return how many."""
        return await self._store.forget_sessions(now)

    async def _note_silence(self, request: ConsentRequest) -> None:
        """Record silence as a refusal, dated at the end of the waiting time.

        A proven answer that still holds at that time stays: the subscriber who agreed before
        was asked something else.
        """
        before = await self._consent.answer_of(request.msisdn, request.system_id)
        if before is not None and before.standing(request.until) in _PROVEN:
            return
        evidence = f"request {request.message_id or request.text_sha256}"
        silence = ConsentAnswer(
            request.msisdn,
            request.system_id,
            Answer.REFUSED,
            request.until,
            NO_REPLY_CHANNEL,
            evidence,
        )
        await self._consent.record((silence,))
