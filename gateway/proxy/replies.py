"""Handle subscribers' MO messages: a refusal holds at once, each message is answered once."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

import structlog

from gateway.dataplane.attention import OwnAnswer, SubscriberMessage
from gateway.dataplane.relay import message_id_of
from gateway.domain.categories import category_of
from gateway.domain.consent import Answer, ConsentAnswer, parts_of
from gateway.domain.outbound_message import filled
from gateway.domain.policy import RepliesRule
from gateway.domain.subscription import MessageEvidence, Subscription
from gateway.policy.hub_words import HubCommand
from gateway.policy.replies import Intent
from gateway.proxy.consent_book import ConsentBook, MoMessage, MoReceiver
from gateway.proxy.mt_sender import Confirmation, MtSender
from gateway.proxy.tick import Tick
from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.tasks import KeyedLock, spawn
from gateway.smpp.pdu import status_of
from gateway.smpp.status import CommandStatus
from gateway.storage.errors import StoreUnavailable, logged
from gateway.systems.subscriptions import texts
from gateway.systems.subscriptions.dialogue import Word, WordOutcome
from gateway.systems.subscriptions.service import SubscriptionDesk

log = structlog.get_logger()


_MAX_AT_ONCE = 1_000
_MAX_UNKEPT = 100_000
# Of one number; the rest of them would make others wait.
_MAX_EACH = 8
_MAX_QUESTIONS = 10_000
_ANSWERED_S = 3_600.0


class Questions:
    """Which subscribers asked at which ports lately: each is answered once an hour.

    So two machines that answer each other do not do that for ever.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._asked: dict[tuple[int, str], float] = {}

    def is_new(self, msisdn: int, port: str) -> bool:
        """Note a question; tell whether it is the first in an hour."""
        now, before = self._now(), self._asked.pop((msisdn, port), None)
        if before is not None and now - before < _ANSWERED_S:
            self._asked[msisdn, port] = before
            return False
        if len(self._asked) >= _MAX_QUESTIONS:
            del self._asked[next(iter(self._asked))]
        self._asked[msisdn, port] = now
        return True


class ReplyBacklog:
    """Bounds what waits, and what waits of one number.

    Nothing that was taken is dropped: where no more can be taken, the SMSC is to keep it.
    """

    def __init__(self) -> None:
        self._unkept: deque[MoMessage] = deque()
        self._waiting: Counter[int] = Counter()
        self._under_way = 0

    @property
    def is_busy(self) -> bool:
        """Tell whether as much is under way as may be."""
        return self._under_way >= _MAX_AT_ONCE

    @property
    def next_unkept(self) -> MoMessage | None:
        """Return what has waited longest to be kept."""
        return self._unkept[0] if self._unkept else None

    def has_room(self, msisdn: int) -> bool:
        """Tell whether one more message of a number may wait."""
        return len(self._unkept) < _MAX_UNKEPT and self._waiting[msisdn] < _MAX_EACH

    def begin(self, msisdn: int) -> None:
        """Note that a message of a number is under way."""
        self._under_way += 1
        self._waiting[msisdn] += 1

    def end(self, msisdn: int) -> None:
        """Note that it is not any more."""
        self._under_way -= 1
        self._leave(msisdn)

    def keep_later(self, heard: MoMessage) -> None:
        """Take what is to be kept as soon as it can be, even past the bound.

        The SP may have it already, and then it will not come again: of such there is no more
        than one turn of the loop reads, and what was under way when the store failed.
        """
        self._unkept.append(heard)
        self._waiting[heard.word.msisdn] += 1

    def kept(self) -> None:
        """Note that `next_unkept` is kept."""
        self._leave(self._unkept.popleft().word.msisdn)

    def _leave(self, msisdn: int) -> None:
        self._waiting[msisdn] -= 1
        if not self._waiting[msisdn]:
            del self._waiting[msisdn]


_ANSWERS: dict[Intent, Answer] = {
    Intent.OPTOUT: Answer.REFUSED,
    Intent.OPTOUT_ALL: Answer.REFUSED,
    Intent.OPTIN: Answer.AGREED,
}
# Intents that only the gateway answers: if it cannot, the SMSC must deliver the message again.
_OURS_ALONE = frozenset({Intent.LIST, Intent.BAD_INDEX})
# Intents that must not be lost: without room the SMSC must deliver them again. An agreement is
# not among them: the subscriber can repeat it, and a late one would undo a later refusal.
_TO_COME_AGAIN = frozenset({Intent.OPTOUT, Intent.OPTOUT_ALL, *_OURS_ALONE})

# Ends the suspension of a number at its request, and returns the reply, if any (R43).
Restore: TypeAlias = Callable[[int, datetime], Awaitable[str | None]]

# Executes a subscriber's command to a hub code, and returns the reply (R50, R51).
Obey: TypeAlias = Callable[[Word, HubCommand, datetime], Awaitable[str]]


class Replies:
    """Acts on MO messages that concern the gateway; all others pass to the SP.

    While the store cannot be written, a refusal holds in this process; it is stored as soon as
    possible and confirmed only then. Nothing else is stored later: an order or a yes that was
    not handled causes no charge. When the backlog is full, of one number or of all, the SMSC is
    asked to deliver again what must not be lost.
    """

    def __init__(
        self,
        tick: Tick,
        hearing: MoReceiver,
        desk: SubscriptionDesk,
        book: ConsentBook,
        speaking: MtSender,
        obey: Obey,
    ) -> None:
        self.restore: Restore = _nothing_to_restore
        self._tick = tick
        self.hearing = hearing
        self._desk = desk
        self._book = book
        self._speaking = speaking
        self._obey = obey
        self._backlog = ReplyBacklog()
        self._questions = Questions()
        self._locks = KeyedLock()
        tick.pipeline.plane.withholds = self._withholds

    def heard(self, item: SubscriberMessage) -> None:
        """Handle a delivery that was relayed to the SP, or is withheld from it."""
        heard = self.hearing.hear(item, utcnow())
        if heard is None:
            self._speaking.pass_on(item)
            return
        if (told := self._told_at_once(heard)) is not None:
            self._answer(heard, told)
            return
        if not heard.may_matter:
            self._pass_on(heard)
            return
        has_room = self._backlog.has_room(heard.word.msisdn) or not item.is_withheld
        answer = None if heard.is_ambiguous else _ANSWERS.get(heard.alone.intent)
        if answer is Answer.REFUSED or (answer is not None and has_room):
            # At once, before any await: it must stop the messages of the next tick.
            heard.given = self._apply(heard, answer, heard.word.refused_by(heard.alone))
        if not has_room:
            self._turn_away(heard)
        elif heard.given is not None and self._book.is_being_kept(heard.given):
            self._settle(heard, is_forwarded=True)  # a repetition while the first is being stored
        elif self._backlog.is_busy:
            self._defer(heard)
            self._put_off(heard)
        else:
            self._begin(heard)

    def _withholds(self, octets: bytes, system_id: str) -> bool:
        return self.hearing.withholds(octets, system_id, self._backlog.has_room)

    def _begin(self, heard: MoMessage) -> None:
        self._backlog.begin(heard.word.msisdn)
        if heard.given is not None:
            self._book.begin(heard.given)
        spawn(self._attend(heard), name="reply")

    def _defer(self, heard: MoMessage) -> None:
        if heard.given is not None:
            self._book.defer(heard.given)

    def _turn_away(self, heard: MoMessage) -> None:
        """Handle a message without room: the SMSC delivers it again, or it goes to the SP."""
        tally = self._tick.pipeline.plane.tally
        self._defer(heard)
        if heard.word.is_hub or heard.alone.intent in _TO_COME_AGAIN:
            tally.replies_put_back += 1
            self._speaking.put_off(heard.item)
        else:
            tally.replies_unheard += 1
            self._settle(heard, is_forwarded=True)

    def answered(self, item: OwnAnswer, context: Confirmation) -> None:
        """Handle the SMSC's answer to our own message; record the id of a request for a yes."""
        if context.asked is None or context.said is None:
            return
        is_taken = item.pdu is not None and not status_of(item.pdu, CommandStatus.ESME_RSUBMITFAIL)
        message_id = message_id_of(item.pdu).decode("latin-1") if item.pdu and is_taken else ""
        said = MessageEvidence(message_id, context.said.text_sha256, utcnow())
        sent = self._desk.sent(context.asked, said, is_taken=is_taken)
        spawn(logged(sent), name="reply-sent")

    async def keep_unkept(self) -> None:
        """Try again to store refusals that could not be stored. Raises StoreUnavailable."""
        while (heard := self._backlog.next_unkept) is not None:
            async with self._locks.of(heard.word.msisdn):
                await self._act(heard)
            self._backlog.kept()

    async def end_overdue(self) -> None:
        """End subscriptions and requests that are over (R23 to R25). Raises StoreUnavailable."""
        lapsed = await self._desk.sweep(utcnow())
        if lapsed:
            log.info("subscriptions.lapsed", count=lapsed)

    async def forget_overdue(self) -> None:
        """Delete dialogue sessions that are over. Raises StoreUnavailable."""
        await self._desk.forget_sessions(utcnow())

    async def _attend(self, heard: MoMessage) -> None:
        try:
            async with self._locks.of(heard.word.msisdn):
                await self._act(heard)
        except StoreUnavailable as error:
            log.error("store.failed", said=str(error))
            self._put_off(heard)
        finally:
            self._backlog.end(heard.word.msisdn)
            if heard.given is not None:
                self._book.end(heard.given)

    async def _act(self, heard: MoMessage) -> None:
        if heard.command is not None:
            reply = await self._obey(heard.word, heard.command, utcnow())
            self._answer(heard, WordOutcome(reply=reply, is_forwarded=False))
            return
        if heard.is_restoring:
            # From a suspended number HF only ends the suspension: it takes no refusal back.
            answer_to = await self.restore(heard.word.msisdn, utcnow())
            self._answer(heard, WordOutcome(reply=answer_to, is_forwarded=False))
            return
        if heard.word.is_foreign and heard.given is not None:
            # Kept for the receiving side, and not confirmed: that is for who writes from there.
            await self._keep(heard, heard.given)
            self._settle(heard, is_forwarded=True)
            return
        outcome = await self._desk.hear(heard.word, utcnow())
        answer = outcome.answer
        if outcome.renews and self._book.is_refused(heard.word):
            answer = Answer.AGREED
        if heard.given is None and answer is not None:
            scope = outcome.scope or heard.word.scope
            heard.given = self._apply(heard, answer, scope, outcome.evidence, outcome.until)
        is_news = heard.given is not None and await self._keep(heard, heard.given)
        if is_news and outcome.reply is None:
            outcome = replace(outcome, reply=self._usual(heard, outcome.going_on))
        self._answer(heard, outcome)

    def _answer(self, heard: MoMessage, outcome: WordOutcome) -> None:
        """Send the reply, then relay the message to the SP or keep it back."""
        is_said = outcome.reply is None or self._speaking.say(heard, outcome.reply, outcome.asked)
        if is_said or outcome.is_forwarded:
            self._settle(heard, is_forwarded=outcome.is_forwarded)
        else:
            # No bind can submit now. The message is for the gateway alone: the SP cannot answer.
            self._speaking.put_off(heard.item)

    async def _keep(self, heard: MoMessage, given: ConsentAnswer) -> bool:
        is_news = await self._book.keep(given, heard.word)
        self._speaking.note(
            "reply",
            heard,
            port=heard.word.port,
            answer=given.answer.value,
            gateway_id=heard.word.said.message_id,
        )
        return is_news

    def _told_at_once(self, heard: MoMessage) -> WordOutcome | None:
        """Return the answer to a question how to refuse, or for help, which changes nothing."""
        rule = self._tick.pipeline.plane.rules.replies
        if rule is None or heard.word.is_foreign:
            return None
        told = {Intent.HOW_TO: rule.how_to, Intent.HELP: rule.help}.get(heard.alone.intent)
        if not told:
            return None
        is_new = self._questions.is_new(heard.word.msisdn, heard.word.port)
        reply = filled(told, _sender_of(heard, rule)) if is_new else None
        return WordOutcome(reply=reply, is_forwarded=not heard.word.is_hub)

    def _usual(self, heard: MoMessage, paid: Sequence[Subscription]) -> str | None:
        """Return the policy's reply to an answer that the dialogue gave no reply to."""
        rule = self._tick.pipeline.plane.rules.replies
        if rule is None or heard.given is None:
            return None
        told = rule.restored
        if heard.given.answer is Answer.REFUSED:
            told = (rule.opted_out_orders if paid else "") or rule.opted_out
        return filled(told, _sender_of(heard, rule), texts.paid(paid))

    def _apply(
        self,
        heard: MoMessage,
        answer: Answer,
        scope: str,
        evidence: str = "",
        until: datetime | None = None,
    ) -> ConsentAnswer:
        said = heard.word.said
        evidence = evidence or f"message {said.message_id} sha256 {said.text_sha256}"
        return self._book.apply(heard.word, answer, evidence, until, scope)

    def _put_off(self, heard: MoMessage) -> None:
        """Handle a message as far as possible without the store."""
        answer = None if heard.word.is_hub else _ANSWERS.get(heard.alone.intent)
        if heard.given is None and answer is not None:
            # TD2: it is unknown whether a list is valid, so the meaning without context counts.
            heard.given = self._apply(heard, answer, heard.word.refused_by(heard.alone))
        if heard.given is not None:
            # The SMSC shall send it again: it is not committed.
            heard.is_settled = True
            self._speaking.put_off(heard.item)
            self._backlog.keep_later(heard)
        elif heard.alone.intent in _OURS_ALONE or heard.word.is_hub:
            self._speaking.put_off(heard.item)
        else:
            self._tick.pipeline.plane.tally.replies_unheard += 1
            self._settle(heard, is_forwarded=True)

    def _settle(self, heard: MoMessage, *, is_forwarded: bool) -> None:
        """Relay a withheld message to the SP, or confirm it to the SMSC; once for a message."""
        if heard.is_settled:
            return
        heard.is_settled = True
        if is_forwarded:
            self._pass_on(heard)
        else:
            self._speaking.keep_back(heard.item)

    def _pass_on(self, heard: MoMessage) -> None:
        """Let the SP have a message; one to a hub code that came to the gateway ends here."""
        if heard.word.is_hub and not heard.item.system_id:
            self._speaking.keep_back(heard.item)
        else:
            self._speaking.pass_on(heard.item)


async def _nothing_to_restore(_msisdn: int, _at: datetime) -> str | None:
    """Return no reply: suspensions are not set up here."""
    return None


def _sender_of(heard: MoMessage, rule: RepliesRule) -> str:
    """Return the name in the reply: that of the SP or its part, or for every SP at a hub code."""
    name = heard.word.sender_name
    if heard.word.is_hub:
        return rule.all_senders
    if heard.given is None or not (parts := parts_of(heard.given.scope)).is_part:
        return name
    category = category_of(parts.category)
    return f"{parts.port if category is None else category.name}({name})"
