"""Rows of decisions with findings."""

from gateway.domain.records import DecisionRow, OutcomeRow, Row, Why
from gateway.domain.verdict import Action, Finding, Reason, ReasonCode
from gateway.policy.checks.bad_link import BadLink
from gateway.records.lines import RecordLines

HOUR = 383_480  # 2013-09-30, 08 UTC
AT = HOUR * 3600.0


def found(
    rule: str,
    action: Action = Action.QUARANTINE,
    reason: ReasonCode = BadLink.reason,
    *,
    shadow: bool = True,
) -> Finding:
    """Return a finding, in shadow mode unless told otherwise."""
    return Finding(rule, reason, action, "", shadow=shadow)


def enforced(
    rule: str, action: Action = Action.REJECT, reason: ReasonCode = Reason.CONTENT
) -> Finding:
    return found(rule, action, reason, shadow=False)


def decided(
    number: int,
    *findings: Finding,
    system_id: str = "shop",
    source: str = "10690001",
    gateway_id: int = 0,
    at: float = AT,
) -> DecisionRow:
    """Return the decision that follows from the findings, as the tick makes it."""
    against = next((one for one in findings if not one.shadow), None)
    deciding = against or next(iter(findings), None)
    action = against.action.value if against is not None else "shadow" if findings else "forward"
    reason, rule = (deciding.reason.value, deciding.rule) if deciding is not None else ("", "")
    why = Why(action, reason, rule, "", "0123456789ab", findings=findings)
    about, addresses = (1, system_id, 4), (source.encode(), b"13800138000")
    return ("d", at + number / 1000, about, number, *addresses, why, gateway_id, None)


def answered(number: int, message_id: str, system_id: str = "shop") -> OutcomeRow:
    """Return the answer of the SMSC to a decision of that number."""
    return ("o", AT + 60, (1, system_id, 4), number, 0, message_id.encode(), 900, "answered")


def lines(*rows: Row) -> list[bytes]:
    """Return the lines of rows, as a file has them."""
    formatting = RecordLines()
    return b"".join(map(formatting.line, rows)).splitlines()
