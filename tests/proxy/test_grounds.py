"""Why a message is kept, and until when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.policy import ContentRule
from gateway.domain.sender import SenderKind
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.proxy.rejudge import grounds_of, longest_hold_s, valid_until_of
from simulators import builders
from tests.policy.conftest import BUNDLE, sender

NOW = datetime(2025, 11, 25, 13, tzinfo=UTC)
DUE = NOW + timedelta(hours=11)
TTL_S = 3600.0
WORD = Finding("K-LOAN", Reason.CONTENT, Action.QUARANTINE, "低息贷款", category="loan")
HOUR = Finding("R40", OutsideWindow.reason, Action.DEFER, "outside the hours")
FLAGGED = Verdict(Action.QUARANTINE, (HOUR, WORD), "d1")
DEFERRED = Verdict(Action.DEFER, (HOUR,), "d1", due=DUE.timestamp())


def request(validity: str = "", schedule: str = "") -> bytes:
    return builders.submit_sm("10690001", "13800138000", b"x", validity=validity, schedule=schedule)


def test_what_a_person_is_to_see_tells_what_was_found() -> None:
    grounds = grounds_of(FLAGGED, request(), (NOW, NOW), TTL_S)

    assert (grounds.reason, grounds.rule, grounds.category) == ("CONTENT", "K-LOAN", "loan")
    assert (grounds.evidence, grounds.digest) == ("低息贷款", "d1")
    assert (grounds.due_at, grounds.expires_at) == (None, NOW + timedelta(hours=1))


def test_what_a_peer_brings_waits_a_day_at_most_also_when_it_is_judged_again() -> None:
    bundle = replace(BUNDLE, content=ContentRule(quarantine_ttl_s=7 * 86_400))
    peer = replace(sender("cmcc", ports=()), kind=SenderKind.PEER)
    rules = RuleSet(bundle, [sender(), peer], Knowledge())

    waits = [longest_hold_s(rules, rules.accounts.get(one)) for one in ("sp1", "cmcc", "x")]

    assert waits == [7 * 86_400, 86_400, 7 * 86_400]


def test_what_waits_for_its_hour_has_a_day_after_it_and_no_ttl() -> None:
    grounds = grounds_of(DEFERRED, request(), (NOW, NOW), TTL_S)

    assert (grounds.reason, grounds.rule) == ("OUTSIDE_WINDOW", "R40")
    assert (grounds.due_at, grounds.expires_at) == (DUE, DUE + timedelta(hours=48))


@pytest.mark.parametrize(
    ("verdict", "validity", "expires_at"),
    [
        (DEFERRED, "000002000000000R", NOW + timedelta(days=2)),
        (DEFERRED, "251127080000032+", datetime(2025, 11, 27, tzinfo=UTC)),
        (FLAGGED, "000002000000000R", NOW + timedelta(hours=1)),
        (FLAGGED, "000000003000000R", NOW + timedelta(minutes=30)),
        (FLAGGED, "250101000000000+", NOW),
    ],
)
def test_a_senders_own_validity_ends_it_sooner(
    verdict: Verdict, validity: str, expires_at: datetime
) -> None:
    grounds = grounds_of(verdict, request(validity), (NOW, NOW), TTL_S)

    assert grounds.expires_at == expires_at


def test_a_validity_counts_from_when_the_message_came_or_is_scheduled() -> None:
    came_at = NOW - timedelta(hours=10)

    later = grounds_of(DEFERRED, request("000001000000000R"), (came_at, NOW), TTL_S)
    scheduled = valid_until_of(request("000001000000000R", "251126120000000+"), came_at)

    assert later.expires_at == came_at + timedelta(days=1)
    assert scheduled == datetime(2025, 11, 27, 12, tzinfo=UTC)


def test_what_names_no_moment_says_nothing() -> None:
    assert valid_until_of(request("9" * 16), NOW) is None
    assert valid_until_of(request("abc"), NOW) is None
    assert valid_until_of(request()[:30], NOW) is None


def test_long_evidence_is_cut_and_no_finding_leaves_the_columns_empty() -> None:
    long = Verdict(Action.QUARANTINE, (replace(WORD, evidence="贷" * 500),), "d1")

    assert len(grounds_of(long, request(), (NOW, NOW), TTL_S).evidence) == 200
    assert grounds_of(Verdict(Action.QUARANTINE, (), "d1"), request(), (NOW, NOW), 1).reason == ""
