"""Nodes of the linkage in memory, each with its cases, and the way between them."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from jsonschema import Draft202012Validator

from gateway.app.case_exchange import CaseExchange
from gateway.app.event_applier import CaseOwnership
from gateway.domain.linkage import AcceptRule, EventRefusal, Member, MemberRegistry, NumberRoute
from gateway.domain.sender import Port, PortOwners, Sender
from gateway.policy.hours import HolidayCalendar, parse
from gateway.settings import yaml
from gateway.stores import Stores
from gateway.systems.cases.model import Actor, Case, CaseComplaint, CaseEntry
from gateway.systems.cases.service import CaseDesk
from gateway.systems.linkage.model import EventDraft, EventType
from gateway.systems.linkage.number_plan import MemberFinder
from gateway.systems.linkage.pair_keys import PairKeys
from gateway.systems.linkage.service import LinkageInbox, LinkageOutbox
from tests.systems.linkage.conftest import NOW, Node

_ROOT = Path(__file__).resolve().parents[2]
UNICOM_PORT = "106550100"


@cache
def calendar() -> HolidayCalendar:
    """Return the calendar of the shipped bundle."""
    return parse(yaml.read(_ROOT / "policies/calendars/cn.yaml").value)


@cache
def validator() -> Draft202012Validator:
    """Return what tells whether an event is as the schema in the package says."""
    path = "gateway/systems/linkage/schemas/linkage-event-1.json"
    schema = json.loads((_ROOT / path).read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def complaint(number: int = 1, **changes: object) -> CaseComplaint:
    """Return a complaint that cmcc has taken about a port of unicom."""
    fields: dict[str, object] = {
        "complaint": number,
        "campaign": f"campaign-{number}",
        "sender": UNICOM_PORT,
        "reporter": 8613800138000,
        "taken_at": NOW,
        "front_owner": "cmcc/广东",
        "category": "loan",
    }
    return CaseComplaint(**fields | changes)  # type: ignore[arg-type]


def owners_of(ports: Sequence[str]) -> PortOwners:
    """Return the owners where one SP has these ports, and extensions of them."""
    sp = SimpleNamespace(system_id="shop", is_peer=False, ports=[Port(one, 4) for one in ports])
    return PortOwners((cast(Sender, sp),))


@dataclass
class Terms:
    """How a site differs from the usual one."""

    ports: Sequence[str] = ()
    accept: AcceptRule = AcceptRule.PORTS
    routes: Sequence[NumberRoute] = ()
    hub: Member | None = None
    text_categories: frozenset[str] = frozenset()


class Site:
    """One node."""

    def __init__(
        self, node: Node, members: tuple[Member, ...], stores: Stores, terms: Terms
    ) -> None:
        self.node, self.stores = node, stores
        registry = MemberRegistry(node.name, members)
        owners = owners_of(terms.ports)
        finder = MemberFinder(registry, terms.routes)
        self.ownership = CaseOwnership(
            node.member.organisation, finder, lambda: owners, terms.accept, terms.text_categories
        )
        self.registry, self.hub = registry, terms.hub
        self.start()
        self.desk = CaseDesk(stores.cases, calendar)

    def start(self) -> None:
        """Begin with nothing in memory, as after a restart."""
        self.pair_keys = PairKeys(self.registry, self.node.agreements)
        self.exchange = CaseExchange(
            self.stores,
            self.registry,
            self.node.signer,
            self.ownership,
            calendar,
            self.pair_keys,
        )
        self.counts = self.exchange.counts
        self.inbox = LinkageInbox(
            self.stores.linkage_inbox,
            self.registry,
            self.node.signer,
            self.exchange.has_most_cases,
            self.counts,
        )
        self.outbox = LinkageOutbox(
            self.stores.linkage_outbox, self.registry, self.hub, self.counts
        )

    async def case(self, number: int = 1) -> Case:
        case = await self.stores.cases.get(number)
        assert case is not None
        return case

    async def journal(self, number: int = 1) -> list[CaseEntry]:
        return await self.stores.cases.journal_of(number)

    async def acts(self, number: int = 1) -> list[str]:
        return [one.act for one in await self.journal(number)]

    async def say(
        self, kind: EventType, subject: str, to: str, data: dict[str, object], now: datetime = NOW
    ) -> None:
        """Put out an event that no case of this site made."""
        count = len(await self.stores.linkage_outbox.listed(limit=1_000))
        draft = EventDraft(f"x{count}", kind, subject, to, data)
        source = self.node.member.source
        await self.stores.linkage_outbox.add(draft, self.node.signer, source, now)


class Net:
    """Sites and the way between them."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self.sites = {one.node.name: one for one in sites}

    def __getitem__(self, name: str) -> Site:
        return self.sites[name]

    async def run(self, now: datetime = NOW, rounds: int = 4) -> None:
        """Let all sites work and deliver, until nothing is left to do."""
        for _ in range(rounds):
            for site in self.sites.values():
                await site.exchange.work(now)
                await self.deliver(site, now)

    async def deliver(self, site: Site, now: datetime) -> None:
        """Deliver what is due; each event is as the schema says."""

        async def post(peer: Member, envelope: bytes) -> bytes | EventRefusal | None:
            payload = json.loads(envelope)["payload"]
            validator().validate(json.loads(urlsafe_b64decode(payload + "==")))
            return await self.sites[peer.name].inbox.take(envelope, site.node.member, now, now)

        await site.outbox.deliver(post, now, lambda: 0.5)


def person(now: datetime = NOW, note: str = "") -> Actor:
    """Return somebody who works on cases."""
    return Actor("lin", now, note)


async def close_all(stores: Iterable[Stores]) -> None:
    """Close stores."""
    await asyncio.gather(*(one.close() for one in stores))
