"""What was decided against an SP and its ports: orders, sanctions, suspensions, and in words."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from gateway.domain.live import SuspendedSender
from gateway.domain.sanction import Sanction
from gateway.domain.sender import Sender, foreign_number
from gateway.domain.suspension import COMPLAINTS, PortSuspension
from gateway.policy.bundle import Title
from gateway.policy.submission import DailyCap
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.early_warnings.service import Probation, is_closing, probations_of
from gateway.terminal.screen import masked_source


class SenderMeasures(NamedTuple):
    """What was decided against an SP: an order, its sanctions in force, and suspensions of a port.

    `suspended` are the numbers of all its suspended ports.
    """

    order: SuspendedSender | None = None
    sanctions: tuple[Sanction, ...] = ()
    suspensions: tuple[PortSuspension, ...] = ()
    suspended: frozenset[str] = frozenset()

    @property
    def is_suspended(self) -> bool:
        """Tell whether all of the SP may send nothing."""
        return self.order is not None or any(map(is_closing, self.sanctions))

    def caps_at(self, at: datetime) -> dict[str, DailyCap]:
        """Return the caps of its ports on probation, full; "" stands for all ports."""
        return {one.port: one.cap for one in probations_of(self.sanctions) if one.until > at}

    def of_sender(self) -> Iterator[Title]:
        """Yield since when all of the SP may send nothing, by what, and what ends that."""
        for one in filter(is_closing, self.sanctions):
            since, end = _moment(one.decided_at), f"smsward warnings sanctions reopen {one.number}"
            yield Title(
                f"该服务商自 {since} 起被处罚 {one.number} 关停，恢复：{end}",
                f"the SP is closed by sanction {one.number} since {since}: {end}",
            )
        if self.order is not None:
            since, end = _moment(self.order.since), f"smsward sender resume {self.order.system_id}"
            yield Title(
                f"该服务商自 {since} 起已被暂停，恢复：{end}",
                f"the SP is suspended by order since {since}: {end}",
            )

    def of_port(self, port: str, at: datetime) -> Iterator[Title]:
        """Yield the same for a port, and the caps that hold for it at a moment."""
        for one in self.suspensions:
            since, sanction = _moment(one.since), one.sanction
            by = Title(f"处罚 {sanction}", f"sanction {sanction}")
            if not sanction:
                by = Title("投诉", "complaints") if one.by == COMPLAINTS else Title(one.by, one.by)
            of_it = f" --sanction {sanction}" if sanction else ""
            whose = f"{one.system_id} {masked_source(one.port)}{of_it}"
            lift = f"smsward suspension lift-port {whose} --note REVIEWED"
            yield Title(
                f"该端口自 {since} 起被暂停（{by.zh}），恢复：{lift}",
                f"the port is suspended by {by.en} since {since}: {lift}",
            )
        for cap in probations_of(self.sanctions):
            if cap.port in {"", port} and cap.until > at:
                yield _probation_note(cap)


async def measures_against(stores: Stores, sender: Sender, source: str) -> SenderMeasures:
    """Return what was decided against a sender, and against the port of a source address."""
    if sender.is_peer:
        port = foreign_number(source) or ""
    else:
        owned = sender.port_of(source)
        port = "" if owned is None else owned.number
    names = sorted({sender.scope, sender.system_id})
    orders = {one.system_id: one for one in await stores.suspended_senders.listed()}
    in_force = await stores.suspended_ports.in_force()
    holding = [await stores.suspended_ports.holding(one, port) for one in names]
    sanctions = await stores.sanctions.in_force(utcnow())
    return SenderMeasures(
        orders.get(sender.system_id),
        tuple(one for one in sanctions if one.system_id == sender.system_id),
        tuple(chain.from_iterable(holding)),
        frozenset().union(*(in_force.get(one, frozenset()) for one in names)),
    )


def _probation_note(one: Probation) -> Title:
    until, most = _moment(one.until), f"{one.cap.maximum:,}".replace(",", " ")
    zh, en = (
        ("该端口", "the port is") if one.port else ("该服务商全部端口", "all ports of the SP are")
    )
    return Title(
        f"{zh}处于观察期至 {until}（处罚 {one.number}）：每日至多 {most} 条，"
        "超出即 ESME_RTHROTTLED (R97)；已发条数只有运行中的网关知道",
        f"{en} on probation until {until} by sanction {one.number}: at most {most} messages a day,"
        " and ESME_RTHROTTLED (R97) beyond; only the running gateway knows how many were sent",
    )


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
