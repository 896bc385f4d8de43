"""Builders for what policy judges, and what it judges with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict, Unpack

from gateway.domain.policy import Bundle, KeywordList, ListAction
from gateway.domain.sender import BindLimits, BindType, Port, Purpose, Rate, Sender, SenderState
from gateway.policy.account import Account
from gateway.policy.submission import Submission

FRAUD = KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票",))
LOAN = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("低息贷款",))
NOTE = KeywordList("K-NOTE", "note", ListAction.SHADOW, ("限时优惠",))
BUNDLE = Bundle("test", "0123456789ab", keyword_lists=(NOTE, LOAN, FRAUD))


class Changes(TypedDict, total=False):
    state: SenderState
    ports: tuple[Port, ...]
    rate: Rate
    statuses: Mapping[str, str]


def sender(system_id: str = "sp1", **changes: Unpack[Changes]) -> Sender:
    usual = Sender(
        system_id=system_id,
        password="",
        name=system_id,
        state=SenderState.ACTIVE,
        binds=BindLimits(8, frozenset(BindType), ()),
        ports=(Port("10690001", 4, Purpose.MARKETING), Port("10690002")),
        rate=Rate(10, 5),
        window=100,
    )
    return replace(usual, **changes)


def submission(
    account: Account | None = None,
    source: bytes = b"10690001",
    destination: bytes = b"13800138000",
    units: int = 1,
) -> Submission:
    return Submission(account or Account(sender()), source, destination, units)
