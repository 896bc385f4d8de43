"""What SPs sent and heard, and what became of it: the other half of every promise."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.quarantine import HeldMessage
from simulators.esme import UNANSWERED, Answer
from simulators.smsc import Received
from simulators.wire import CommandStatus, read_message
from tests.promises.deployment import Keywords

BANNED_WORD = "代开发票"
HELD_WORD = "无视征信黑白户"
LISTS: Mapping[str, Keywords] = {
    "K-BANNED": Keywords("reject", (BANNED_WORD,)),
    "K-HELD": Keywords("quarantine", (HELD_WORD,)),
}


class Kind(StrEnum):
    """What the policy makes of a text."""

    CLEAN = "您的订单已发出"
    BANNED = BANNED_WORD
    HELD = HELD_WORD


def kind_of(text: str) -> Kind:
    return next(kind for kind in Kind if text.endswith(kind))


@dataclass(slots=True)
class Ledger:
    """Makes texts of which no two are alike, and keeps what was heard of each."""

    draw: random.Random
    weights: tuple[int, int, int] = (85, 10, 5)
    padding: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    _issued: int = 0

    def texts(self, count: int) -> list[str]:
        """Return the next `count` texts; whoever takes them sends them once or never."""
        return [self.text(kind) for kind in self.draw.choices(list(Kind), self.weights, k=count)]

    def text(self, kind: Kind) -> str:
        """Return the next text, of this kind."""
        self._issued += 1
        return f"{self._issued:07} {self.padding}{kind}"

    def enter(self, texts: Sequence[str], answers: Iterable[Answer]) -> None:
        """Note what was heard of each text."""
        for text, answer in zip(texts, answers, strict=True):
            assert text not in self.answers
            self.answers[text] = answer

    @property
    def answered(self) -> int:
        """Return how many messages got an answer, whatever it was."""
        return sum(answer.command_status != UNANSWERED for answer in self.answers.values())

    def accepted(self) -> dict[str, str]:
        """Return the message_id of each text that was accepted."""
        return {text: one.message_id for text, one in self.answers.items() if one.is_ok}


def text_of(pdu: bytes) -> str:
    """Return the UCS-2 text of a message as it stood on the wire."""
    return read_message(pdu).octets.decode("utf-16-be")


@dataclass(frozen=True, slots=True)
class Balance:
    """The counts of a run in which the books agree."""

    answered: int
    unanswered_or_unsent: int
    at_smsc: int
    in_quarantine: int
    refused: int
    in_doubt_unanswered: int
    in_doubt_refused: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {getattr(self, name)}" for name in self.__slots__)


# What an SP hears of a message whose link was lost: it may have arrived, or not.
_IN_DOUBT = frozenset({UNANSWERED, int(CommandStatus.ESME_RSYSERR)})


def settle(ledger: Ledger, journal: Sequence[Received], held: Sequence[HeldMessage]) -> Balance:
    """Compare what SPs heard with the SMSC's journal and the quarantine; fail on any difference."""
    upstream = Counter(text_of(received.pdu) for received in journal)
    smsc_ids = {text_of(received.pdu): received.message_id for received in journal}
    stored = Counter(text_of(message.pdu) for message in held)
    gateway_ids = {text_of(message.pdu): str(message.message_id) for message in held}
    accepted = ledger.accepted()

    assert [text for text, count in upstream.items() if count > 1] == [], "twice upstream"
    assert [text for text, count in stored.items() if count > 1] == [], "twice in quarantine"
    assert upstream.keys() & stored.keys() == set(), "both upstream and in quarantine"
    assert (upstream.keys() | stored.keys()) - ledger.answers.keys() == set(), "never sent"
    assert {kind_of(text) for text in upstream} <= {Kind.CLEAN}, "a flagged text upstream"
    assert {kind_of(text) for text in stored} <= {Kind.HELD}, "an innocent text in quarantine"
    lost = [t for t, i in accepted.items() if i not in (smsc_ids.get(t), gateway_ids.get(t))]
    assert lost == [], "acknowledged and lost"
    doubted = [ledger.answers[text] for text in upstream if text not in accepted]
    assert {answer.command_status for answer in doubted} <= _IN_DOUBT, "refused and forwarded"

    unanswered = sum(answer.command_status == UNANSWERED for answer in doubted)
    return Balance(
        answered=ledger.answered,
        unanswered_or_unsent=len(ledger.answers) - ledger.answered,
        at_smsc=len(accepted.keys() & upstream.keys()),
        in_quarantine=len(accepted.keys() & stored.keys()),
        refused=ledger.answered - len(accepted),
        in_doubt_unanswered=unanswered,
        in_doubt_refused=len(doubted) - unanswered,
    )
