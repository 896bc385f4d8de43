"""Members of the linkage are found by name, key and certificate; keys begin, end, are revoked."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.linkage import (
    KEY_GRACE,
    KeyState,
    Member,
    MemberKey,
    MemberRegistry,
    MemberRole,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def key(**changes: object) -> MemberKey:
    fields = {"kid": "a-1", "public": bytes(32), "not_before": START, "not_after": END}
    return MemberKey(**fields | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (START - SECOND, KeyState.NOT_YET_VALID),
        (START, KeyState.VALID),
        (END - SECOND, KeyState.VALID),
        (END, KeyState.EXPIRED),
    ],
)
def test_a_key_is_valid_between_its_times(now: datetime, state: KeyState) -> None:
    assert key().state_at(now) is state


def test_a_revoked_key_counts_for_nothing_from_its_revocation_on() -> None:
    revoked = key(revoked=START + SECOND)

    assert revoked.state_at(START) is KeyState.VALID
    assert revoked.state_at(START + SECOND) is KeyState.REVOKED
    assert revoked.state_of_event(START, START + SECOND) is KeyState.REVOKED


@pytest.mark.parametrize(
    ("at", "now", "state"),
    [
        (END - SECOND, END + KEY_GRACE - SECOND, KeyState.VALID),
        (END - SECOND, END + KEY_GRACE, KeyState.EXPIRED),
        (END, END, KeyState.EXPIRED),
        (START - SECOND, START, KeyState.NOT_YET_VALID),
        (START - SECOND, END, KeyState.NOT_YET_VALID),
    ],
)
def test_an_event_may_arrive_after_its_key_has_expired_but_not_be_made_then(
    at: datetime, now: datetime, state: KeyState
) -> None:
    assert key().state_of_event(at, now) is state


def test_members_are_found_by_name_key_and_certificate() -> None:
    one = Member("a", "移动", "广东", MemberRole.NODE, "https://a/", (key(),), (b"digest",))
    registry = MemberRegistry("a", (one,))

    assert registry.own_member is one
    assert registry.find("a") is one
    assert registry.find("b") is None
    assert registry.find_key("a-1") == (one, key())
    assert registry.find_key("b-1") is None
    assert registry.find_certificate(b"digest") is one
    assert registry.find_certificate(b"other") is None
    assert registry.kid_in_use(bytes(32), START) == "a-1"
    assert registry.kid_in_use(bytes(32), END) is None
    assert registry.kid_in_use(b"other", START) is None
    assert one.source == "urn:smsward:member:a"


def test_a_member_is_found_by_the_source_of_its_events() -> None:
    member = Member("a", "unicom", "广东", MemberRole.NODE, "https://a.example/", ())
    registry = MemberRegistry("a", (member,))

    assert registry.find_source(member.source) is member
    assert registry.find_source("a") is None
    assert registry.find_source("urn:smsward:member:b") is None
    assert member.organisation == "unicom/广东"
