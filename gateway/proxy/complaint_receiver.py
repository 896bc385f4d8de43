"""Take complaints that subscribers write as SMS to report codes (R80)."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

import structlog

from gateway.dataplane.attention import SubscriberMessage
from gateway.policy.complaint_words import (
    ComplaintFormat,
    complaint_in,
    sender_in,
    status_query_in,
)
from gateway.proxy.consent_book import MoMessage, MoReceiver
from gateway.proxy.mt_sender import MtSender
from gateway.proxy.replies import ReplyBacklog
from gateway.proxy.tick import Tick
from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.tasks import KeyedLock, spawn
from gateway.smpp.status import DecodeError
from gateway.smpp.udh import Concat, Element, concat_of, split_udh
from gateway.storage.errors import StoreUnavailable
from gateway.systems.complaints.complaint_replies import reply_to, told_states, words_of
from gateway.systems.complaints.model import (
    MAX_TEXT_CHARS,
    STATUS_ROWS,
    Complaint,
    ComplaintSource,
    ComplaintState,
    NewComplaint,
    china_day,
    faults_of,
)
from gateway.systems.complaints.service import ComplaintDesk
from gateway.systems.complaints.sql import ComplaintStore

log = structlog.get_logger()

_UDHI = 0x40
# At a code that is a hub code, too, only so short a text is a refusal: a forwarded advert may
# end with 退订请回复TD, and must not refuse every SP.
_MAX_REFUSAL_CHARS = 16
# The same words of the same subscriber are one complaint in this time: the SMSC delivers a message
# again if the gateway was killed before it answered.
_SAME = timedelta(hours=24)
_RECENT = 8
# How long the parts of a long complaint wait for the others. The SMSC has not been answered, and
# one with a window of 1 sends no other part before that.
_PARTS_S = 1.0
# A part that comes within this time after that is added to the complaint.
_ENDED_S = 300.0
_MAX_LONG = 1_000
_MAX_PARTS = 5_000
# Two machines that answer each other must come to an end.
_MAX_REPLIES = 10
_MAX_REPLIED = 10_000
_HOUR_S = 3_600.0


class ReplyCount:
    """How often numbers were replied to in this hour; bounded, the oldest go first."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._counts: dict[int, tuple[float, int]] = {}

    def takes(self, msisdn: int) -> bool:
        """Count a reply to a number; False if it had enough of them in this hour."""
        now = self._now()
        since, count = self._counts.pop(msisdn, (now, 0))
        if now - since >= _HOUR_S:
            since, count = now, 0
        if len(self._counts) >= _MAX_REPLIED:
            del self._counts[next(iter(self._counts))]
        self._counts[msisdn] = since, min(count + 1, _MAX_REPLIES + 1)
        return count < _MAX_REPLIES


# The subscriber, the code, the reference and how many parts.
_Key: TypeAlias = tuple[int, str, int, int]


@dataclass(slots=True, eq=False)
class _LongComplaint:
    """A complaint in several parts. All that came are answered, one that came twice as well."""

    parts: dict[int, str] = field(default_factory=dict)
    heard: list[MoMessage] = field(default_factory=list)
    is_whole: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0  # once it is on record
    ended_at: float = 0.0

    @property
    def text(self) -> str:
        """Return what is there, in order."""
        return "".join(self.parts[number] for number in sorted(self.parts))


class ComplaintReceiver:
    """Makes complaints of what subscribers write to report codes, and answers with their ids.

    The SMSC is answered when the complaint is committed, and asked to deliver again what could
    not be. A text without the sender's number is kept and asked about once; the number, in a
    second message, completes it (7726).
    """

    def __init__(
        self,
        tick: Tick,
        hearing: MoReceiver,
        speaking: MtSender,
        desk: ComplaintDesk,
        store: ComplaintStore,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._tick = tick
        self._plane = tick.pipeline.plane
        self._hearing = hearing
        self._speaking = speaking
        self._desk = desk
        self._store = store
        self._now = now
        self._backlog = ReplyBacklog()
        self._locks = KeyedLock()
        self._replied = ReplyCount()
        self._long: dict[_Key, _LongComplaint] = {}
        self._ended: dict[_Key, _LongComplaint] = {}  # taken without all their parts

    def takes(self, item: SubscriberMessage) -> bool:
        """Handle a message to a report code; False if it is one to a hub code instead."""
        heard = self._hearing.hear(item, utcnow())
        if heard is None:
            self._speaking.keep_back(item)  # it came from no number: nobody can be answered
            return True
        form = self._plane.complaint_codes[heard.word.port.encode("latin-1")]
        concat = _part_of(heard)
        if concat is None and self._is_for_hub(heard, form):
            return False
        if concat is None:
            spawn(self._attend([heard], heard.word.text, form), name="complaint")
        else:
            self._gather(heard, concat, form)
        return True

    def _is_for_hub(self, heard: MoMessage, form: ComplaintFormat) -> bool:
        """Tell whether a text to a code that is both is a refusal or a command (R31, R50, R51)."""
        if not heard.word.is_hub or self._plane.rules.replies is None:
            return False
        if heard.command is not None or heard.is_restoring:
            return True
        if status_query_in(heard.word.text) is not None:
            return False
        is_short = len(heard.word.text) <= _MAX_REFUSAL_CHARS
        return is_short and heard.may_matter and not complaint_in(heard.word.text, form).sender

    def _gather(self, heard: MoMessage, concat: Concat, form: ComplaintFormat) -> None:
        word = heard.word
        key = word.msisdn, word.port, concat.reference, concat.total
        ended = self._ended.get(key)
        if ended is not None and self._now() - ended.ended_at < _ENDED_S:
            spawn(self._add_late(ended, heard, concat.number, form), name="complaint-part")
            return
        one = self._long.get(key)
        if one is None:
            if len(self._long) >= _MAX_LONG or not self._backlog.has_room(word.msisdn):
                self._put_off([heard])
                return
            one = self._long[key] = _LongComplaint()
            spawn(self._await_parts(key, one, form), name="complaint-parts")
        elif sum(len(each.heard) for each in self._long.values()) >= _MAX_PARTS:
            self._put_off([heard])
            return
        one.heard.append(heard)
        one.parts[concat.number] = word.text
        if len(one.parts) == concat.total:
            one.is_whole.set()

    async def _await_parts(self, key: _Key, one: _LongComplaint, form: ComplaintFormat) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PARTS_S):
                await one.is_whole.wait()
        del self._long[key]
        if not one.is_whole.is_set():
            self._ended.pop(key, None)
            self._ended[key], one.ended_at = one, self._now()
            while sum(len(each.parts) for each in self._ended.values()) > _MAX_PARTS:
                del self._ended[next(iter(self._ended))]
        if not await self._attend(one.heard, one.text, form, one):
            self._ended.pop(key, None)  # all parts come again
        one.heard.clear()

    async def _add_late(
        self, one: _LongComplaint, heard: MoMessage, place: int, form: ComplaintFormat
    ) -> None:
        """Add a part to a complaint that was taken without it, unless it was judged meanwhile."""
        msisdn = heard.word.msisdn
        if self._backlog.is_busy or not self._backlog.has_room(msisdn):
            self._put_off([heard])
            return
        self._backlog.begin(msisdn)
        try:
            async with self._locks.of(msisdn):
                if not one.number:  # it is not on record yet
                    self._put_off([heard])
                    return
                if place not in one.parts:
                    one.parts[place] = heard.word.text
                    sender, body = _said(_clean(one.text), form)
                    await self._desk.amend(one.number, sender=sender, text=body)
        except StoreUnavailable as error:
            log.error("store.failed", said=str(error))
            del one.parts[place]
            self._put_off([heard])
            return
        finally:
            self._backlog.end(msisdn)
        self._speaking.keep_back(heard.item)

    def _put_off(self, heard: list[MoMessage]) -> None:
        self._plane.tally.replies_put_back += len(heard)
        for one in heard:
            self._speaking.put_off(one.item)

    async def _attend(
        self,
        heard: list[MoMessage],
        text: str,
        form: ComplaintFormat,
        long: _LongComplaint | None = None,
    ) -> bool:
        """Keep a complaint and answer; False if the SMSC is to deliver it again.

        A `long` one gets the number that it has on record.
        """
        first, msisdn = heard[0], heard[0].word.msisdn
        query = status_query_in(text)
        if self._backlog.is_busy or not self._backlog.has_room(msisdn):
            self._put_off(heard)
            return False
        self._backlog.begin(msisdn)
        try:
            async with self._locks.of(msisdn):
                if query is None:
                    number, reply = await self._take(first, _clean(text), form)
                    if long is not None:
                        long.number = number
                else:
                    reply = await self._status(first, query)
                is_told = not self._replied.takes(msisdn) or self._speaking.say(first, reply)
                if not is_told and query is not None:
                    await self._store.withdraw_query(msisdn)
        except StoreUnavailable as error:
            log.error("store.failed", said=str(error))
            self._put_off(heard)
            return False
        finally:
            self._backlog.end(msisdn)
        if not is_told:
            # No bind can submit now. What is kept already is found again, and answered then.
            self._put_off(heard)
            return False
        for one in heard:
            self._speaking.keep_back(one.item)
        return True

    async def _take(self, heard: MoMessage, text: str, form: ComplaintFormat) -> tuple[int, str]:
        """Keep a complaint, or what completes one; return its number and the reply.

        Raises StoreUnavailable.
        """
        word = heard.word
        read = complaint_in(text, form)
        sender, body = _said(text, form)
        recent = await self._store.find(reporter=word.msisdn, limit=_RECENT)
        waiting = await self._desk.awaiting(word.msisdn)
        number, state = 0, ComplaintState.NEED_INFO
        if waiting is not None and _completes(waiting, sender, body):
            done = await self._desk.complete(waiting.number, sender=sender, text=body)
            if done is not None:
                number, state = done.number, done.state
                sender, body = sender or waiting.sender, body or waiting.text
        if not number and (before := _same(recent, sender, body, word.said.at)) is not None:
            number, state = before.number, before.state
        if not number:
            new = NewComplaint(
                source=ComplaintSource.MO,
                source_id=word.said.message_id,
                reported_at=word.said.at,
                sender=sender,
                text=body,
                reporter=word.msisdn,
                received_at=self._moment_of(read.received_on),
                by=word.port,
            )
            if faults_of(new, word.said.at):
                new = replace(new, received_at=None)  # a day in the future, or of another century
            (kept,) = await self._desk.receive([new])
            number, state = kept.number, kept.state
        self._speaking.note("complaint", heard, port=word.port, complaint=str(number))
        return number, reply_to(word.msisdn, number, state, sender)

    async def _status(self, heard: MoMessage, number: int) -> str:
        """Return how a subscriber's own complaints stand, once a day (R89); 0 asks for all.

        Raises StoreUnavailable.
        """
        msisdn, words = heard.word.msisdn, words_of(heard.word.msisdn)
        if not await self._store.admit_query(msisdn, china_day(heard.word.said.at)):
            return words.asked_today
        if number:
            one = await self._store.get(number)
            found = [one] if one is not None and one.reporter == msisdn else []
        else:
            found = await self._store.find(reporter=msisdn, limit=STATUS_ROWS)
        self._speaking.note("complaint_status", heard, port=heard.word.port)
        return told_states(words, found)

    def _moment_of(self, day: date | None) -> datetime | None:
        zone = ZoneInfo(self._plane.rules.bundle.surroundings.zone)
        return None if day is None else datetime.combine(day, time(), zone)


def _said(text: str, form: ComplaintFormat) -> tuple[str, str]:
    """Return the sender and the text that a complaint names, "" where it does not."""
    read = complaint_in(text, form)
    named = sender_in(read.body) if read.sender is None else None
    return (read.sender or "", read.body) if named is None else (named, "")


def _completes(waiting: Complaint, sender: str, body: str) -> bool:
    """Tell whether a message has what a complaint lacks, and says nothing else."""
    if sender and not waiting.sender:
        return not body or not waiting.text or body == waiting.text
    return bool(body) and not waiting.text and (not sender or sender == waiting.sender)


def _same(recent: list[Complaint], sender: str, body: str, at: datetime) -> Complaint | None:
    """Return the complaint that the same words have made already, None if they are new."""
    for one in recent:
        is_recent = one.source is ComplaintSource.MO and one.reported_at > at - _SAME
        is_same = body in {"", one.text} and sender in {"", one.sender}
        if is_recent and is_same and (body or sender or not one.is_complete):
            return one
    return None


def _clean(text: str) -> str:
    """Return a text that a store takes: without halves of characters, and not too long."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole[:MAX_TEXT_CHARS]


def _part_of(heard: MoMessage) -> Concat | None:
    """Return which part of a long message this is, None for a whole one."""
    pdu = heard.pdu
    elements: tuple[Element, ...] = ()
    if pdu.number("esm_class") & _UDHI:
        with contextlib.suppress(DecodeError):
            elements, _ = split_udh(pdu.text_octets)
    concat = concat_of(elements, pdu.tlvs)
    return None if concat is None or concat.total == 1 else concat
