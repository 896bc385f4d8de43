"""A data plane whose records are kept as files, and bundles to judge them again."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path
from typing import TypedDict, Unpack

import pytest

from gateway.dataplane.link import Link
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.plane import Plane
from gateway.domain.categories import TrafficClass
from gateway.domain.policy import ContentRule, Enforcement, KeywordList, ListAction
from gateway.domain.records import Row
from gateway.domain.sender import BindLimits, BindType, Port, Purpose, Rate, Sender, SenderState
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Override, Rule, Title
from gateway.policy.check import Check
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.records.archive import RecordArchive
from gateway.records.lines import RecordLines
from gateway.records.record_replay import (
    EVERYTHING,
    DecisionQuery,
    RecordReplay,
    Replayer,
    ReplayTally,
)
from gateway.records.replay_judge import Judge
from gateway.records.replay_reader import BlockReader
from gateway.records.writer import HourFiles
from gateway.runtime.sealing import Keys
from gateway.session.operations import SessionState, Side
from simulators import builders

AT = 1_700_000_000.0  # 06:13 in Shanghai
DAY_S = 86_400.0
MARKETING, SERVICE, CODES = "10690001", "10690002", "10690003"
SUBSCRIBER = "13800138000"
CLEAN = "【春晓书店】会员日全场八折，拒收请回复R"
SPAM = "【春晓书店】代开发票，拒收请回复R"  # rejected
DUBIOUS = "【春晓书店】低息贷款，拒收请回复R"  # held
NOTED = "【春晓书店】限时优惠，拒收请回复R"  # in shadow
BARE = "会员日全场八折"
CODE = "【春晓书店】您的验证码是482915，5分钟内有效"
NEWS = "【春晓书店】您的包裹已放入3号柜"
DAYTIME = WindowSet((Window(time(8), time(21)),))

BUNDLE = Bundle(
    name="test",
    digest="0123456789ab",
    keyword_lists=(
        KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票",)),
        KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("低息贷款",)),
        KeywordList("K-NOTE", "note", ListAction.SHADOW, ("限时优惠",)),
    ),
    content=ContentRule(unreadable=Action.QUARANTINE),
)


class RuleChanges(TypedDict, total=False):
    mode: Enforcement
    applies_to: frozenset[TrafficClass]
    action: Action
    on_error: Mapping[TrafficClass, Action]
    overrides: tuple[Override, ...]


def rule(rule_id: str, check: Check, **changes: Unpack[RuleChanges]) -> Rule:
    """Build a rule that is enforced unless told otherwise."""
    usual = Rule(rule_id, Title("规则", "rule"), "[D]", check, Enforcement.ENFORCE)
    return replace(usual, **changes)


def renamed(bundle: Bundle = BUNDLE, *rules: Rule) -> Bundle:
    """Return what says the same, and more if `rules` are given, under another digest."""
    return replace(bundle, digest="ba9876543210", rules=(*bundle.rules, *rules))


def sender(system_id: str = "sp1", state: SenderState = SenderState.ACTIVE) -> Sender:
    return Sender(
        system_id=system_id,
        password="",
        name=system_id,
        state=state,
        binds=BindLimits(8, frozenset(BindType), ()),
        ports=(
            Port(MARKETING, 4, Purpose.MARKETING),
            Port(SERVICE),
            Port(CODES, 0, Purpose.VERIFICATION),
        ),
        rate=Rate(1e6, 1_000_000),
        window=100,
    )


SENDERS = (sender(), sender("sp2"), sender("sp3", SenderState.SUSPENDED))


def advert(
    text: str = CLEAN, *, source: str = MARKETING, to: str = SUBSCRIBER, sequence: int = 1
) -> bytes:
    return builders.submit_sm(source, to, builders.ucs2(text), sequence=sequence)


@dataclass
class Traffic:
    """SPs send, the gateway judges, and what it records goes to files."""

    directory: Path
    bundle: Bundle = BUNDLE
    keeps_texts: bool = True
    knowledge: Knowledge = field(default_factory=Knowledge)
    at: float = AT

    def __post_init__(self) -> None:
        ids = itertools.count(8 * 10**18 + 1)
        plane = Plane(
            rules=RuleSet(self.bundle, SENDERS, self.knowledge),
            pdu_octets=70_000,
            deliver_window=10,
            response_s=30.0,
            next_id=lambda _at: next(ids),
            keeps_texts=self.keeps_texts,
        )
        self.pipeline = Pipeline(plane)
        self._lines, self._files = RecordLines(), HourFiles(self.directory)
        self._sessions: dict[str, Link] = {}

    def send(self, *pdus: bytes, system_id: str = "sp1", after_s: float = 0.0) -> None:
        """Let an SP send `pdus` in one tick, `after_s` after the one before; keep the records."""
        self.at += after_s
        session = self._session(system_id)
        batch = self.pipeline.submit([(session, b"".join(pdus))], self.at, self.at)
        assert session.peer is not None
        session.peer.outstanding.clear()
        session.held = 0
        self.keep(batch.rows)

    def keep(self, rows: Iterable[Row]) -> None:
        """Write rows as the gateway does."""
        for hour, _, lines in self._lines.by_hour(list(rows)):
            assert self._files.append(hour, lines)[1] is None
        self._files.close()

    def write(self, line: bytes) -> None:
        """Write any line into the file of the hour."""
        self._files.append(int(self.at // 3600), line + b"\n")
        self._files.close()

    @property
    def archive(self) -> RecordArchive:
        return RecordArchive(self.directory)

    def replayed(
        self,
        bundle: Bundle,
        old: Bundle | None = None,
        *,
        wanted: DecisionQuery = EVERYTHING,
        keys: Keys | None = None,
    ) -> ReplayTally:
        """Judge all that was recorded again."""
        new = Judge(bundle, SENDERS, self.knowledge)
        before = None if old is None else Judge(old, SENDERS, self.knowledge)
        read = BlockReader(self.archive, keys).read
        replay = RecordReplay(self.archive, wanted)
        return replay.run(Replayer(new, before), read, lambda _octets: None)

    def _session(self, system_id: str) -> Link:
        session = self._sessions.get(system_id)
        if session is None:
            number = 2 * len(self._sessions) + 1
            session = Link(number, Side.ESME, 1000, self.at)
            link = Link(number + 1, Side.SMSC, 1000, self.at)
            session.peer, link.peer = link, session
            session.state = link.state = SessionState.BOUND_TRX
            session.system_id = link.system_id = system_id
            self._sessions[system_id] = session
        return session


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path)
