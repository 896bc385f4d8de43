"""Cursors are opaque and of one list; an ETag is of one state."""

import pytest

from gateway.web.problems import Problem, ProblemError
from gateway.web.resources import cursor_of, etag_of, name_in, number_in, require_match


def problem_of(call: object, *arguments: object) -> Problem:
    with pytest.raises(ProblemError) as raised:
        call(*arguments)  # type: ignore[operator]
    return raised.value.problem


def test_a_cursor_leads_back_to_its_place() -> None:
    assert number_in("held", cursor_of("held", 8176407200000001000)) == 8176407200000001000
    assert name_in("users", cursor_of("users", "lin")) == "lin"
    assert (number_in("held", None), name_in("users", None)) == (None, "")


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "....", "AAAA", "bnVsbA", "WzFd", "W10", "e30"),
        cursor_of("users", "lin"),
        cursor_of("held", "lin"),
    ],
)
def test_what_is_no_cursor_of_a_list_is_a_422(cursor: str) -> None:
    assert problem_of(number_in, "held", cursor) is Problem.NOT_AS_DESCRIBED
    assert problem_of(name_in, "senders", cursor) is Problem.NOT_AS_DESCRIBED


def test_who_changes_a_state_must_have_read_it() -> None:
    now, other = etag_of("lin", 1), etag_of("lin", 2)

    assert problem_of(require_match, None, now) is Problem.PRECONDITION_REQUIRED
    for given in (other, f"W/{now}", "", "lin", now.strip('"')):
        assert problem_of(require_match, given, now) is Problem.PRECONDITION_FAILED
    for given in (now, f"{other}, {now}", "*"):
        require_match(given, now)
    assert etag_of("a", "b") != etag_of("a\nb")
