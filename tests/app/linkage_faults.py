"""Complaints of three carriers that become cases, and a hub between them, with faults on every way.

The same seed makes the same complaints with faults and without; the cases must end the same.
"""

import json
import random
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from gateway.domain.linkage import AcceptRule, EventRefusal, Member, MemberRole, OutboxState
from gateway.storage.errors import StoreUnavailable
from gateway.stores import open_store
from gateway.systems.cases.model import (
    MOST_AT_ONCE,
    Actor,
    Case,
    CaseComplaint,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    CaseState,
    MeasureKind,
)
from tests.app.case_sites import Net, Site, Terms, close_all
from tests.app.linkage_forgeries import FORGED_ID, Original, forged, give_bad_keys
from tests.memory_stores import database_of
from tests.promises.deployment import seeded
from tests.systems.linkage.conftest import NOW, Node

T = TypeVar("T")

CARRIERS = ("cmcc", "unicom", "telecom")
_PORTS = {"cmcc": "106570", "unicom": "106550", "telecom": "106590"}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_WEEK = 7 * _DAY
# What was told and closed by the first day is complained of again on the second, within 30 days.
_CLOSED_ON, _AGAIN_ON = NOW + 11 * _DAY, NOW + 12 * _DAY
_AGAIN_SHARE = 0.1
_PAGE = 1_000
_MOST_ROUNDS = 2_000
_FEWEST_BATCHES = 4
_MOST_CAMPAIGNS = 10_000  # the last four digits of a port

# Of deliveries; of commits.
_LOST, _UNANSWERED, _DOUBLED, _LATE, _FORGED, _PULLED = 0.05, 0.05, 0.05, 0.1, 0.05, 0.1
_KILLED = 0.005


@dataclass(frozen=True, slots=True)
class Load:
    """How many complaints of how many campaigns."""

    complaints: int
    campaigns: int
    seed: int = 1


def complaints_of(load: Load) -> Iterator[tuple[str, CaseComplaint]]:
    """Return complaints with the carrier that takes each, the last ones days after the others."""
    assert load.campaigns <= _MOST_CAMPAIGNS
    chance = seeded(f"complaints-{load.seed}")
    first = round(load.complaints * (1 - _AGAIN_SHARE))
    for number in range(1, load.complaints + 1):
        campaign = int(load.campaigns * chance.random() ** 2)
        front = chance.choice(CARRIERS)
        began = NOW if number <= first else _AGAIN_ON
        yield (
            front,
            CaseComplaint(
                number,
                f"campaign-{campaign}",
                f"{_PORTS[_planned(campaign)]}{campaign:04}",
                8613800000000 + chance.randrange(load.complaints),
                began + timedelta(milliseconds=number),
                f"{front}/广东",
                "loan",
            ),
        )


def _planned(campaign: int) -> str:
    """Return the carrier whose port it is by the number plan."""
    return CARRIERS[campaign % len(CARRIERS)]


def _next(carrier: str) -> str:
    return CARRIERS[(CARRIERS.index(carrier) + 1) % len(CARRIERS)]


class World:
    """Three carriers that exchange their cases over a hub; `chance` makes faults, if given."""

    def __init__(self, net: Net, chance: random.Random | None) -> None:
        self.net, self.now = net, NOW
        self.faults: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.events = 0
        self._chance = chance
        self._hub_down_until = NOW
        self._late: list[tuple[Site, Member, bytes]] = []
        if chance is not None:
            for site in net.sites.values():
                self._make_mortal(site)

    async def play(self, load: Load, told: Callable[[int], object] = lambda _: None) -> None:
        """Let people complain, and the carriers work until nothing is left to do; then again."""
        given = list(complaints_of(load))
        first = round(load.complaints * (1 - _AGAIN_SHARE))
        await self._take_all(given[:first], told)
        await self._drain()
        assert self.now < _CLOSED_ON
        self.now = _CLOSED_ON
        await self._tell_subscribers()
        self.now = _AGAIN_ON
        await self._take_all(given[first:], told)
        await self._drain()
        await self._tell_subscribers()

    async def _take_all(
        self, given: Sequence[tuple[str, CaseComplaint]], told: Callable[[int], object]
    ) -> None:
        size = max(1, min(MOST_AT_ONCE, len(given) // _FEWEST_BATCHES))
        batches = [given[at : at + size] for at in range(0, len(given), size)]
        for at, batch in enumerate(batches):
            if self._chance is not None and self.now < _AGAIN_ON:
                if at == len(batches) // 4:
                    self._stop_hub(_MINUTE)
                if at == len(batches) // 2:
                    self._stop_hub(_WEEK)
            for name in CARRIERS:
                site, some = self.net[name], [one for front, one in batch if front == name]
                while await self._alive(site, site.desk.take(some, "match")) is None:
                    pass
            await self._round()
            told(batch[-1][1].complaint)

    def _stop_hub(self, length: timedelta) -> None:
        self._hub_down_until = self.now + length
        self.faults[f"hub_down_{length}"] += 1

    async def _drain(self) -> None:
        for _ in range(_MOST_ROUNDS):
            is_quiet = not await self._round()
            if is_quiet and not self._late and not await self._is_waiting():
                return
        raise AssertionError("the exchange does not end")

    async def _is_waiting(self) -> bool:
        for site in self.net.sites.values():
            outbox, inbox = site.stores.linkage_outbox, site.stores.linkage_inbox
            if await outbox.listed(OutboxState.WAITING, limit=1):
                return True
            if await inbox.ready(site.node.name, 1) or await inbox.gaps(1):
                return True
        return False

    async def _round(self) -> int:
        """Let each site work once; return how much was done."""
        done = 0
        self._pass_time()
        for site in self._in_turn():
            if self._is_down(site):
                continue
            done += await self._alive(site, site.exchange.work(self.now)) or 0
            done += await self._alive(site, self._deliver(site)) or 0
            if self._happens(_PULLED):
                await self._alive(site, self._pull(site))
            done += await self._alive(site, self._work_on_cases(site)) or 0
        await self._deliver_late()
        return done

    def _pass_time(self) -> None:
        if self._chance is None:
            self.now += _MINUTE
        elif self._hub_down_until - self.now > _DAY:
            self.now += 6 * _HOUR
        else:
            self.now += _MINUTE * self._chance.choice((1, 2, 10, 60))

    def _in_turn(self) -> list[Site]:
        sites = list(self.net.sites.values())
        if self._chance is not None:
            self._chance.shuffle(sites)
        return sites

    def _is_down(self, site: Site) -> bool:
        return site.node.member.role is MemberRole.HUB and self.now < self._hub_down_until

    def _happens(self, share: float, fault: str = "") -> bool:
        happens = self._chance is not None and self._chance.random() < share
        if happens and fault:
            self.faults[fault] += 1
        return happens

    # Processes that are killed.

    def _make_mortal(self, site: Site) -> None:
        writer = database_of(site.stores).writer
        write = writer.write

        async def commit_or_die(run: Callable[..., Awaitable[T]], **options: object) -> T:
            if self._happens(_KILLED, f"killed_before_commit_{site.node.member.role}"):
                raise StoreUnavailable("killed")
            done = await write(run, **options)  # type: ignore[arg-type]
            if self._happens(_KILLED, f"killed_after_commit_{site.node.member.role}"):
                raise StoreUnavailable("killed")
            return done

        writer.write = commit_or_die  # type: ignore[method-assign]

    async def _alive(self, site: Site, work: Awaitable[T]) -> T | None:
        """Return what a process did, None if it was killed; it is started again then."""
        try:
            return await work
        except StoreUnavailable:
            assert self._chance is not None
            site.start()
            return None

    # The way between the sites.

    async def _deliver(self, site: Site) -> int:
        async def post(peer: Member, envelope: bytes) -> bytes | EventRefusal | None:
            return await self._post(site, self.net[peer.name], envelope)

        delivered = await site.outbox.deliver(post, self.now, lambda: 0.5)
        self.events += delivered
        return delivered

    async def _post(self, site: Site, peer: Site, envelope: bytes) -> bytes | EventRefusal | None:
        if self._is_down(peer) or self._happens(_LOST, "request_lost"):
            return None
        by = site.node.member
        answer = await self._offer(peer, by, envelope)
        if self._happens(_DOUBLED, "delivered_twice"):
            again = await self._offer(peer, by, envelope)
            assert answer is None or again is None or again == answer
        if self._happens(_LATE, "delivered_late_again"):
            self._late.append((peer, by, envelope))
        if answer is not None and self._happens(_FORGED):
            await self._forge(peer, by, envelope)
        return None if self._happens(_UNANSWERED, "answer_lost") else answer

    async def _offer(
        self, peer: Site, by: Member | None, envelope: bytes, sent_at: datetime | None = None
    ) -> bytes | EventRefusal | None:
        taking = peer.inbox.take(envelope, by, sent_at or self.now, self.now)
        return await self._alive(peer, taking)

    async def _deliver_late(self) -> None:
        """Deliver copies of earlier events once more, in no order."""
        if self._chance is None:
            return
        self._chance.shuffle(self._late)
        arriving, self._late = self._late[::2], self._late[1::2]
        for peer, by, envelope in arriving:
            if not self._is_down(peer):
                assert not isinstance(await self._offer(peer, by, envelope), EventRefusal)

    async def _pull(self, site: Site) -> int:
        async def fetch(peer: Member, after: int) -> Sequence[tuple[int, bytes]]:
            other = self.net[peer.name]
            if self._is_down(other) or self._happens(_LOST, "pull_lost"):
                return []
            found = await other.stores.linkage_outbox.after(site.node.name, after, 50)
            return [(one.number, one.envelope.encode()) for one in found]

        self.faults["pulled"] += 1
        others = (one.node.member for one in self.net.sites.values() if one is not site)
        return sum([await site.inbox.pull(one, fetch, self.now) for one in others])

    async def _forge(self, peer: Site, by: Member, envelope: bytes) -> None:
        """Offer something like an event that was taken; it is refused by its name."""
        assert self._chance is not None
        nodes = [one.node for one in self.net.sites.values()]
        source = json.loads(b64decode(json.loads(envelope)["payload"] + "==", "-_"))["source"]
        maker = next(one for one in nodes if one.member.source == source)
        original = Original(envelope, maker, peer.node, by, self.now)
        forgery = forged(self._chance, nodes, original)
        answer = await self._offer(peer, forgery.by, forgery.envelope, forgery.sent_at)
        if answer is not None:
            assert isinstance(answer, EventRefusal)
            assert answer.reason is forgery.reason
            self.refused[forgery.reason] += 1

    # What people do.

    async def _work_on_cases(self, site: Site) -> int:
        """Do the next step of each case that this site must act on; return how many steps."""
        done, own = 0, site.node.member.organisation
        for state in (*_OWNERS_TURN, CaseState.ARBITRATION, CaseState.OPEN, CaseState.REOPENED):
            owner = own if state in _OWNERS_TURN else None
            for case in await site.stores.cases.find(state=state, owner=owner, limit=_PAGE):
                done += await self._step(site, case)
        return done

    async def _step(self, site: Site, case: Case) -> bool:
        campaign, name = _campaign_of(case), site.node.name
        who = Actor("lin", self.now)
        kind = campaign % 20
        is_refused = kind in (0, 1) and case.origin and name == _planned(campaign)
        match case.state:
            case CaseState.DISPATCHED if is_refused:
                suggested = f"{_next(name)}/广东" if kind else ""
                await site.desk.refuse(case.number, suggested, who)
            case CaseState.DISPATCHED:
                await site.desk.accept(case.number, who)
            case CaseState.ARBITRATION:
                await site.desk.assign(case.number, f"{_next(_planned(campaign))}/广东", who)
            case CaseState.OPEN | CaseState.REOPENED if name != _planned(campaign):
                return False
            case CaseState.OPEN | CaseState.ACKED | CaseState.REOPENED:
                await site.desk.verify(case.number, who)
            case CaseState.VERIFYING if kind in _OTHER_FINDINGS:
                found = CaseFeedback(_OTHER_FINDINGS[kind])
                await site.desk.feedback(case.number, found, who)
            case CaseState.VERIFYING:
                taken = CaseMeasure(MeasureKind.PORT_SUSPENDED, self.now)
                await site.desk.measure(case.number, taken, who)
            case _:
                found = CaseFeedback(CaseFinding.CONFIRMED, (), f"CDR {campaign}")
                await site.desk.feedback(case.number, found, who)
        return True

    async def _tell_subscribers(self) -> None:
        for name in CARRIERS:
            site = self.net[name]
            for state, act in (
                (CaseState.FEEDBACK_RECEIVED, site.desk.tell_user),
                (CaseState.USER_TOLD, site.desk.close),
            ):
                while found := await site.stores.cases.find(state=state, limit=_PAGE):
                    for case in found:
                        who = Actor("lin", self.now)
                        await self._alive(site, act(case.number, who))

    # What it has come to.

    async def end(self) -> dict[str, list[object]]:
        """Return what each site has of each case; times and numbers of cases may differ."""
        names: dict[str, str] = {}
        found: dict[str, list[object]] = {}
        every = {name: await _cases_of(self.net[name]) for name in CARRIERS}
        for name, cases in every.items():
            count: defaultdict[str, int] = defaultdict(int)
            for case in cases:
                if not case.origin:
                    count[case.campaign] += 1
                    key = f"{name} {case.campaign} {count[case.campaign]}"
                    names[f"{name}.{case.number}"] = key
        for name, cases in every.items():
            site = self.net[name]
            for case in cases:
                key = names[case.subject or f"{name}.{case.number}"]
                where = f"{key} at {name}"
                # Of another's case, how many complained is as it was when it was sent.
                size = [] if case.origin else [case.complaints, case.reporters]
                complaints = await site.stores.cases.complaints_of(case.number, 100_000)
                acts = [one.act for one in await site.journal(case.number)]
                assert where not in found, f"two cases: {where}"
                found[where] = [
                    [case.state, case.severity, case.owner, case.hops, case.finding],
                    [one.kind for one in case.measures],
                    [case.evidence, case.sender, case.category, *size],
                    sorted(one for one, _ in complaints),
                    acts,
                ]
        return found

    async def left_over(self) -> Counter[str]:
        """Return what must not be there in the end."""
        left: Counter[str] = Counter()
        for site in self.net.sites.values():
            outbox, inbox = site.stores.linkage_outbox, site.stores.linkage_inbox
            for state in (OutboxState.WAITING, OutboxState.DEAD):
                left[state] += len(await outbox.listed(state, limit=_PAGE))
            left["gaps"] += len(await inbox.gaps(_PAGE))
            left["not_applied"] += len(await inbox.ready(site.node.name, _PAGE))
            left["forged"] += await _is_taken_from_stranger(site)
        return +left


_OWNERS_TURN = (CaseState.DISPATCHED, CaseState.ACKED, CaseState.VERIFYING, CaseState.ACTIONED)
_OTHER_FINDINGS = {2: CaseFinding.UNFOUNDED, 3: CaseFinding.UNVERIFIABLE}


def digest_of(end: dict[str, list[object]]) -> str:
    """Return a digest of what `World.end` says."""
    return sha256(json.dumps(end, sort_keys=True).encode()).hexdigest()


@asynccontextmanager
async def opened_world(directory: Path, chance: random.Random | None) -> AsyncIterator[World]:
    """Open the sites on SQLite files of their own, and close them."""
    nodes = [*map(Node, CARRIERS), Node("hub", MemberRole.HUB)]
    for node in nodes:
        give_bad_keys(node)
    members = tuple(one.member for one in nodes)
    hub = members[-1]
    sites = []
    try:
        for node in nodes:
            url = f"sqlite:///{directory / node.name}.db"
            stores = await open_store(url, deadline_s=60)
            rule = AcceptRule.PORTS if node.name == "unicom" else AcceptRule.PERSON
            ports = [_PORTS[node.name]] if node.name in _PORTS else []
            sites.append(
                Site(
                    node,
                    members,
                    stores,
                    Terms(ports, rule, hub=None if node.member is hub else hub),
                )
            )
        yield World(Net(sites), chance)
    finally:
        await close_all(one.stores for one in sites)


def _campaign_of(case: Case) -> int:
    return int(case.sender[-4:]) if case.origin else int(case.campaign.rpartition("-")[2])


async def _cases_of(site: Site) -> list[Case]:
    found: list[Case] = []
    before: int | None = None
    while some := await site.stores.cases.find(before=before, limit=_PAGE):
        found += some
        before = some[-1].number
    return found[::-1]


async def _is_taken_from_stranger(site: Site) -> bool:
    before: int | None = None
    while some := await site.stores.linkage_inbox.listed(before=before, limit=_PAGE):
        if any(one.id == FORGED_ID for one in some):
            return True
        before = some[-1].number
    return False
