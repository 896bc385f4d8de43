"""Roles of people and of API clients, and what each of them may do."""

from collections.abc import Mapping
from enum import StrEnum

from gateway.domain.api_client import ApiClient, ApiRole


class UserRole(StrEnum):
    """The role of a person who signs in. Each has exactly one."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    SENIOR_REVIEWER = "senior_reviewer"
    OPERATOR = "operator"
    SENDER = "sender"
    REGULATOR = "regulator"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """One kind of thing that a role may do: what it is about, and to read or to act."""

    READ_OPERATIONS = "operations.read"  # rates, sessions, SMSCs, health
    ACT_ON_OPERATIONS = "operations.act"  # close sessions, suspend SPs, drain SMSCs
    READ_RECORDS = "records.read"  # records and traces, numbers masked
    UNMASK_NUMBER = "numbers.unmask"  # one number, with a reason that is journaled
    UNMASK_IN_BULK = "numbers.unmask_bulk"  # lets another person see many within an hour
    READ_HELD = "quarantine.read"
    DECIDE_HELD = "quarantine.decide"
    DECIDE_CAMPAIGN = "quarantine.decide_campaign"
    READ_AGREEMENT = "agreement.read"  # of reviewers, on what was dealt to two of them
    WRITE_EXCEPTION = "exceptions.write"  # "and from now on"
    READ_POLICIES = "policies.read"
    CHANGE_POLICIES = "policies.change"
    READ_FILINGS = "filings.read"
    CHANGE_FILINGS = "filings.change"
    READ_SUBSCRIBERS = "subscribers.read"  # refusals, orders and preferences of a number
    ACT_FOR_SUBSCRIBERS = "subscribers.act"  # as their app does, once they proved their number
    RECORD_REFUSALS = "refusals.record"
    PROVE_CONSENT = "consents.prove"
    TAKE_COMPLAINTS = "complaints.take"
    READ_COMPLAINTS = "complaints.read"
    READ_CASES = "cases.read"
    ACT_ON_CASES = "cases.act"
    READ_WARNINGS = "warnings.read"  # and sanctions
    ANSWER_WARNINGS = "warnings.answer"
    CLOSE_WARNINGS = "warnings.close"
    DECIDE_SANCTIONS = "sanctions.decide"
    READ_USERS = "users.read"
    MANAGE_USERS = "users.manage"
    READ_AUDIT = "audit.read"
    READ_APPROVALS = "approvals.read"  # of acts that the role asks for or decides on


class UserScope(StrEnum):
    """What limits all permissions of a role: the field of a user that says to what."""

    SYSTEM_ID = "system_id"
    PROVINCE = "province"


# Users of the other roles see everything that their role may see.
SCOPES: Mapping[UserRole, UserScope] = {
    UserRole.SENDER: UserScope.SYSTEM_ID,
    UserRole.REGULATOR: UserScope.PROVINCE,
}

_P = Permission
_VIEWER = frozenset({_P.READ_OPERATIONS, _P.READ_POLICIES, _P.READ_FILINGS, _P.READ_WARNINGS})
_REVIEWER = _VIEWER | {
    _P.READ_RECORDS,
    _P.UNMASK_NUMBER,
    _P.READ_HELD,
    _P.DECIDE_HELD,
    _P.READ_COMPLAINTS,
    _P.READ_APPROVALS,
}
_SENIOR_REVIEWER = _REVIEWER | {
    _P.UNMASK_IN_BULK,
    _P.DECIDE_CAMPAIGN,
    _P.READ_AGREEMENT,
    _P.WRITE_EXCEPTION,
    _P.READ_SUBSCRIBERS,
    _P.TAKE_COMPLAINTS,
    _P.READ_CASES,
    _P.ACT_ON_CASES,
}
_OPERATOR = _VIEWER | {
    _P.ACT_ON_OPERATIONS,
    _P.READ_RECORDS,
    _P.READ_HELD,
    _P.CHANGE_POLICIES,
    _P.CHANGE_FILINGS,
    _P.READ_COMPLAINTS,
    _P.READ_CASES,
    _P.ANSWER_WARNINGS,
    _P.CLOSE_WARNINGS,
    _P.READ_APPROVALS,
}
_SENDER = frozenset(
    {
        _P.READ_OPERATIONS,
        _P.READ_RECORDS,
        _P.READ_FILINGS,
        _P.RECORD_REFUSALS,
        _P.PROVE_CONSENT,
        _P.READ_WARNINGS,
        _P.ANSWER_WARNINGS,
    }
)
_REGULATOR = frozenset(
    {
        _P.READ_OPERATIONS,
        _P.READ_POLICIES,
        _P.READ_FILINGS,
        _P.READ_COMPLAINTS,
        _P.READ_CASES,
        _P.READ_WARNINGS,
    }
)
_AUDITOR = _VIEWER | {
    _P.READ_RECORDS,
    _P.READ_HELD,
    _P.READ_AGREEMENT,
    _P.READ_USERS,
    _P.READ_AUDIT,
}
# All but what only an SP or a subscriber can say for themselves.
_ADMIN = frozenset(Permission) - {_P.PROVE_CONSENT, _P.ACT_FOR_SUBSCRIBERS}

USER_PERMISSIONS: Mapping[UserRole, frozenset[Permission]] = {
    UserRole.VIEWER: _VIEWER,
    UserRole.REVIEWER: _REVIEWER,
    UserRole.SENIOR_REVIEWER: _SENIOR_REVIEWER,
    UserRole.OPERATOR: _OPERATOR,
    UserRole.SENDER: _SENDER,
    UserRole.REGULATOR: _REGULATOR,
    UserRole.AUDITOR: _AUDITOR,
    UserRole.ADMIN: _ADMIN,
}

# What clients of console.yaml may do by their tokens, in the same words.
CLIENT_PERMISSIONS: Mapping[ApiRole, frozenset[Permission]] = {
    ApiRole.SP: _SENDER,
    ApiRole.CLERK: frozenset(
        {
            _P.READ_SUBSCRIBERS,
            _P.RECORD_REFUSALS,
            _P.TAKE_COMPLAINTS,
            _P.READ_COMPLAINTS,
            _P.READ_WARNINGS,
        }
    ),
    ApiRole.APP: frozenset({_P.ACT_FOR_SUBSCRIBERS, _P.TAKE_COMPLAINTS, _P.READ_COMPLAINTS}),
    ApiRole.INVESTIGATOR: frozenset(
        {
            _P.UNMASK_NUMBER,
            _P.READ_SUBSCRIBERS,
            _P.READ_COMPLAINTS,
            _P.READ_CASES,
            _P.READ_WARNINGS,
        }
    ),
    ApiRole.OFFICER: frozenset(
        {
            _P.READ_CASES,
            _P.ACT_ON_CASES,
            _P.READ_WARNINGS,
            _P.ANSWER_WARNINGS,
            _P.CLOSE_WARNINGS,
            _P.DECIDE_SANCTIONS,
        }
    ),
    # A program may have the role of a person; that of a sender is SP.
    **{
        ApiRole(role.value): permissions
        for role, permissions in USER_PERMISSIONS.items()
        if role is not UserRole.SENDER
    },
}


def scope_of_client(client: ApiClient) -> UserScope | None:
    """Return what limits all permissions of a client, None for a client without a limit."""
    if client.role is ApiRole.SP:
        return UserScope.SYSTEM_ID
    return UserScope.PROVINCE if client.role is ApiRole.REGULATOR else None
