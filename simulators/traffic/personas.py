"""Three service providers of the demo: who they are, what they own, and what they send."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from simulators import builders
from simulators.traffic import phrases
from simulators.traffic.evasions import EVASIONS, plain

# Subscribers the personas write to, and those among them who refuse the retailer's adverts.
SUBSCRIBERS = tuple(f"1380013{number:04}" for number in range(8000, 8200))
OPTED_OUT = frozenset(SUBSCRIBERS[::8])


class PersonaName(StrEnum):
    """Who sends."""

    BANK = "bank"
    RETAILER = "retailer"
    SPAMMER = "spammer"


@dataclass(frozen=True, slots=True)
class OwnedPort:
    """A port (端口号) as the persona registered it: number, room for extension, purpose."""

    number: str
    extension_digits: int
    purpose: str


@dataclass(frozen=True, slots=True)
class Persona:
    """What a carrier has on file about a service provider."""

    system_id: str
    name: str
    ports: tuple[OwnedPort, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """One message: as its reader would see it, and as the short_messages that carry it.

    `kind` says what it is meant to be: "code", "advert", "zero_width" and so on.
    """

    source: str
    destination: str
    text: str
    kind: str
    parts: tuple[bytes, ...]
    data_coding: int = builders.UCS2
    esm_class: int = 0
    registered_delivery: int = 0

    def pdus(self, sequences: Callable[[], int]) -> list[bytes]:
        """Build a submit_sm for each part, numbered by `sequences`."""
        return [
            builders.submit_sm(
                self.source,
                self.destination,
                part,
                data_coding=self.data_coding,
                esm_class=self.esm_class,
                registered_delivery=self.registered_delivery,
                sequence=sequences(),
            )
            for part in self.parts
        ]


PERSONAS = {
    PersonaName.BANK: Persona(
        "bank",
        "榕江银行",
        (
            OwnedPort("10690955", 2, "verification"),
            OwnedPort("10690956", 2, "service"),
        ),
    ),
    PersonaName.RETAILER: Persona(
        "shop",
        "青禾生活",
        (OwnedPort("10690620", 4, "marketing"), OwnedPort("10690621", 0, "service")),
    ),
    PersonaName.SPAMMER: Persona("spammer", "通达信息咨询", (OwnedPort("10690777", 4, "service"),)),
}


def persona_messages(name: PersonaName | str, seed: int = 0) -> Iterator[Submission]:
    """Yield what the persona sends, for ever, and the same for the same seed."""
    # Not for secrets: a run must be repeatable.
    chance = random.Random(seed)  # noqa: S311
    compose = _COMPOSERS[PersonaName(name)]
    while True:
        yield compose(chance)


def _bank(chance: random.Random) -> Submission:
    if chance.random() < 0.6:
        submission = _honest(chance, "1069095501", "code", _filled(chance, phrases.BANK_CODES))
    else:
        submission = _honest(chance, "1069095601", "notice", _filled(chance, phrases.BANK_NOTICES))
    return replace(submission, registered_delivery=1)


def _retailer(chance: random.Random) -> Submission:
    if chance.random() < 0.2:
        return _honest(chance, "10690621", "order", _filled(chance, phrases.SHOP_SERVICE))
    advert = _honest(chance, "106906200001", "advert", _filled(chance, phrases.SHOP_ADVERTS))
    if advert.destination in OPTED_OUT:
        return replace(advert, kind="advert_refused")
    return advert


def _spammer(chance: random.Random) -> Submission:
    source = "106907770001"
    if chance.random() < 0.1:
        return _honest(chance, source, "innocent", chance.choice(phrases.SPAM_INNOCENT))
    phrase = chance.choice(phrases.SPAM_PHRASES)
    contact = f"tx{chance.randrange(1000, 10_000)}"
    amount = chance.randrange(2, 9) * 100
    text = chance.choice(phrases.SPAM_TEXTS).format(phrase=phrase, contact=contact, amount=amount)
    kind = chance.choice((*EVASIONS, "spoofed"))
    if kind == "spoofed":
        # Hides behind the bank's own service port.
        return _honest(chance, "1069095601", kind, text)
    encoded = EVASIONS[kind](text, phrase, chance)
    return Submission(source, chance.choice(SUBSCRIBERS), text, kind, *encoded)


def _honest(chance: random.Random, source: str, kind: str, text: str) -> Submission:
    destination = chance.choice(SUBSCRIBERS)
    return Submission(source, destination, text, kind, *plain(text, chance.randrange(256)))


def _filled(chance: random.Random, texts: tuple[str, ...]) -> str:
    return chance.choice(texts).format(
        code=chance.randrange(100_000, 1_000_000),
        tail=chance.randrange(1000, 10_000),
        minutes=chance.choice((1, 3, 5, 10)),
        payee=chance.choice(phrases.SURNAMES) + chance.choice(phrases.TITLES),
        amount=f"{chance.randrange(100, 500_000) / 100:.2f}",
        balance=f"{chance.randrange(500_000, 9_000_000) / 100:.2f}",
        price=chance.randrange(9, 200),
        month=chance.randrange(1, 13),
        day=chance.randrange(1, 29),
        hour=chance.randrange(8, 22),
        minute=chance.randrange(60),
        street=chance.choice(phrases.STREETS),
    )


_COMPOSERS: dict[PersonaName, Callable[[random.Random], Submission]] = {
    PersonaName.BANK: _bank,
    PersonaName.RETAILER: _retailer,
    PersonaName.SPAMMER: _spammer,
}
