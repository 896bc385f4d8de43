"""The audit: which kinds of acts it has, and which of its entries are meant."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AuditKind(StrEnum):
    """What an act of the audit is about."""

    SIGN_IN = "sign_in"
    USERS = "users"
    LOOK = "look"  # whole numbers or a text were shown
    DECISION = "decision"  # on held messages
    POLICY = "policy"
    CONSENT = "consent"  # recorded by staff
    EXPORT = "export"
    SANCTION = "sanction"
    OPERATION = "operation"  # orders to the running gateway
    APPROVAL = "approval"  # what needs two persons
    OTHER = "other"


# The acts that programs and people do, by the name that an entry gives them.
ACTIONS: Mapping[AuditKind, frozenset[str]] = {
    AuditKind.SIGN_IN: frozenset(
        {"user session end", "user sign-in", "user sign-in refused", "user sign-out"}
    ),
    AuditKind.USERS: frozenset(
        {
            "user add",
            "user disable",
            "user enable",
            "user enrol",
            "user password",
            "user recovery codes",
            "user reset",
            "user role",
        }
    ),
    AuditKind.LOOK: frozenset(
        {
            "cases graph",
            "cases list",
            "cases search",
            "complaints add",
            "complaints show",
            "consent audit draw",
            "consent audit show",
            "linkage text",
            "notices next",
            "number show",
            "optouts query",
            "quarantine campaigns",
            "quarantine number",
            "quarantine octets",
            "quarantine show",
            "quarantine unmask",
            "records show",
            "reports show",
            "trace",
            "trace unmask",
        }
    ),
    AuditKind.DECISION: frozenset(
        {
            "quarantine campaign",
            "quarantine chosen",
            "quarantine discard",
            "quarantine escalate",
            "quarantine except",
            "quarantine opinion",
            "quarantine release",
            "quarantine revoke",
            "quarantine undo",
        }
    ),
    AuditKind.POLICY: frozenset({"policy activate", "policy write"}),
    AuditKind.CONSENT: frozenset({"consent record", "consent import", "consent audit answer"}),
    AuditKind.EXPORT: frozenset(
        {
            "audit export",
            "cases export",
            "cases xarf",
            "consent export",
            "preferences export",
            "records export",
            "reports export",
        }
    ),
    AuditKind.SANCTION: frozenset(
        {
            "port resume",
            "port suspend",
            "sanction apply",
            "sanction dismiss",
            "sanction reopen",
            "sanction reopen ask",
            "sanction reopen decline",
            "sender resume",
            "sender suspend",
        }
    ),
    AuditKind.OPERATION: frozenset(
        {"backup", "restore", "session close", "smsc drain", "smsc resume"}
    ),
    AuditKind.APPROVAL: frozenset({"approval ask", "approval give", "approval decline"}),
}
# Acts that show whole numbers of subscribers to a person or a program of the console.
UNMASKING = frozenset({"optouts query", "quarantine unmask", "trace unmask"})
_COUNTED = re.compile(r"(?:refusals of )?(\d{1,6}) numbers?: ")
_KINDS = {action: kind for kind, actions in ACTIONS.items() for action in actions}
KNOWN_ACTIONS = frozenset(_KINDS)


def kind_of(action: str) -> AuditKind:
    """Return the kind of an act, OTHER for one that is not in `ACTIONS`."""
    return _KINDS.get(action, AuditKind.OTHER)


def numbers_shown(action: str, about: str) -> int:
    """Return how many whole numbers an act showed; 0 for an act that shows none."""
    if action not in UNMASKING:
        return 0
    found = _COUNTED.match(about)
    return int(found[1]) if found is not None else 1


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which entries are meant: ``since <= at < until``; None and "" mean any.

    `by` and `about` are parts of what stands there, as they are spelled.
    """

    kind: AuditKind | None = None
    by: str = ""
    about: str = ""
    since: datetime | None = None
    until: datetime | None = None


EVERY_ENTRY = ActFilter()
