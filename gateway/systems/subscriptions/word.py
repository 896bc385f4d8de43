"""What a subscriber wrote, and what follows from it: the values of a dialogue."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from gateway.domain.consent import Answer
from gateway.domain.subscription import MessageEvidence, Subscription
from gateway.policy.intents import Meaning, MoContext, meaning_of
from gateway.ports.subscriptions import Changes


@dataclass(frozen=True, slots=True)
class Word:
    """What a subscriber wrote to `port` of `system_id`; to a hub code it concerns every SP.

    `tokens` are the words of refusal that the SP advertised, the latest first; `reply_id` is
    the id that an answer will have. `other_msisdn` is who else the subscriber may be, where the
    digits of the number do not tell.
    """

    msisdn: int
    system_id: str
    sender_name: str
    port: str
    text: str
    said: MessageEvidence
    reply_id: str
    tokens: tuple[str, ...] = ()
    is_hub: bool = False
    other_msisdn: int | None = None


@dataclass(frozen=True, slots=True)
class WordOutcome:
    """What follows from one message. There is one reply at most.

    `answer` goes to the consent store, as one that is good `until` then. `asked` is the
    subscription that the reply asks about. `renews` tells that the subscriber just proved
    consent to the SP, which takes an earlier refusal back (R37).
    """

    changes: Changes = field(default_factory=Changes)
    reply: str | None = None
    is_forwarded: bool = True
    answer: Answer | None = None
    evidence: str = ""
    until: datetime | None = None
    asked: Subscription | None = None
    renews: bool = False


def meaning_in(word: Word, context: MoContext) -> Meaning:
    """Return what a word means, with any of the tokens its SP advertised."""
    return meaning_of(word.text, replace(context, others=word.tokens))


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in hex, by which it can be recognised and not read."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
