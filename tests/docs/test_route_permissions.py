"""Routes of the API ask for roles, people for permissions: both mean the same of each route."""

import re
from pathlib import Path

import pytest

from gateway.domain.permissions import CLIENT_PERMISSIONS, Permission

# What each route needs; those of subscribers need ACT_FOR_SUBSCRIBERS.
ROUTES = {
    "POST /v1/optouts": Permission.RECORD_REFUSALS,
    "POST /v1/optouts/query": Permission.READ_SUBSCRIBERS,
    "POST /v1/consents": Permission.PROVE_CONSENT,
    "POST /v1/consents/query": Permission.PROVE_CONSENT,
    "GET /v1/notices": Permission.PROVE_CONSENT,
    "POST /v1/notices/{batch}/ack": Permission.PROVE_CONSENT,
    "GET /v1/messages": Permission.READ_RECORDS,
    "GET /v1/statistics": Permission.READ_OPERATIONS,
    "GET /v1/limits": Permission.READ_OPERATIONS,
    "POST /v1/orders": Permission.PROVE_CONSENT,
    "POST /v1/orders/query": Permission.PROVE_CONSENT,
    "POST /v1/complaints": Permission.TAKE_COMPLAINTS,
    "GET /v1/complaints/{number}": Permission.READ_COMPLAINTS,
    "GET /v1/cases": Permission.READ_CASES,
    "POST /v1/cases/search": Permission.READ_CASES,
    "GET /v1/cases/{number}": Permission.READ_CASES,
    "POST /v1/cases/{number}/acts": Permission.ACT_ON_CASES,
    "GET /v1/linkage/sent": Permission.READ_CASES,
    "GET /v1/linkage/received": Permission.READ_CASES,
    "GET /v1/linkage/gaps": Permission.READ_CASES,
    "GET /v1/warnings": Permission.READ_WARNINGS,
    "POST /v1/warnings/{number}/answer": Permission.ANSWER_WARNINGS,
    "POST /v1/warnings/{number}/close": Permission.CLOSE_WARNINGS,
    "GET /v1/sanctions": Permission.READ_WARNINGS,
    "GET /v1/sanctions/{number}": Permission.READ_WARNINGS,
    "POST /v1/sanctions/{number}/apply": Permission.DECIDE_SANCTIONS,
    "POST /v1/sanctions/{number}/dismiss": Permission.DECIDE_SANCTIONS,
    "POST /v1/sanctions/{number}/reopen": Permission.DECIDE_SANCTIONS,
    "POST /v1/sanctions/{number}/reopen/approve": Permission.DECIDE_SANCTIONS,
    "POST /v1/sanctions/{number}/reopen/decline": Permission.DECIDE_SANCTIONS,
}
PAGE = Path(__file__).resolve().parents[2] / "docs/reference/api.md"
# test_api_reference.py compares them with the code.
ROLES_OF = dict(
    re.findall(
        r"(?m)^\| `((?:GET|POST|DELETE) /v1/[^`]+)` \| ([a-z, ]+) \|", PAGE.read_text("utf-8")
    )
)


@pytest.mark.parametrize("route", ROLES_OF)
def test_the_roles_of_a_route_are_those_of_its_permission(route: str) -> None:
    """Where people and tokens use one route, one permission decides."""
    roles = {one.strip() for one in ROLES_OF[route].split(",")}
    if roles <= {"nobody", "everybody"}:
        return
    permission = ROUTES.get(route, Permission.ACT_FOR_SUBSCRIBERS)

    assert {role.value for role, may in CLIENT_PERMISSIONS.items() if permission in may} == roles
    assert route in ROUTES or "/v1/subscribers/" in route
