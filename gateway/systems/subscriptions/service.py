"""Handle subscribers' messages, SPs' consent requests and timeouts in the subscription store."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b

from gateway.domain.consent import Answer, ConsentAnswer, day_of, end_of
from gateway.domain.consent_period import last_day_of
from gateway.domain.consent_request import ConsentRequest, ConsentRequestState
from gateway.domain.subscription import (
    ASKED_STATES,
    Event,
    MessageEvidence,
    Subscription,
    SubscriptionAct,
    advance,
)
from gateway.policy.mo_words import key_of
from gateway.ports.consent import ConsentStore
from gateway.ports.errors import StoreUnavailable
from gateway.ports.subscriptions import Changes, SubscriptionStep, SubscriptionStore
from gateway.systems.subscriptions.dialogue import Dialogue
from gateway.systems.subscriptions.word import Word, WordOutcome, digest_of

MAX_CHARS = 1000
_BITS = 64
_SPAN = 2  # characters, about the length of a Chinese word
# Texts of 60 characters in which some words differ are 3 to 12 bits apart, others about 32.
_MAX_DISTANCE = 12
_DIGITS = re.compile(r"\d+")
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

    def __init__(self, store: SubscriptionStore, consent: ConsentStore, dialogue: Dialogue) -> None:
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
