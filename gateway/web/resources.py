"""What routes of lists and things share: pages by cursor, ETags, and what must match them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Annotated

import orjson
from fastapi import Header, Query
from pydantic import Field

from gateway.web.fields import RequestBody
from gateway.web.problems import Problem, ProblemError, not_as_described

MOST_LISTED = 500
_MAX_CURSOR_CHARS = 256
_ETAG_CHARS = 32

Cursor = Annotated[
    str | None,
    Query(
        max_length=_MAX_CURSOR_CHARS,
        pattern="^[A-Za-z0-9_-]+$",
        description="The `next` of the page before; nothing can be read from it.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="Items of a page.")]
NextCursor = Annotated[
    str | None,
    Field(
        description="The `cursor` of the page behind, null for the last.",
        examples=["WyJxdWFyYW50aW5lIiw4MTc2NDA3MjAwMDAwMDAxMDAwXQ"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=_MAX_CURSOR_CHARS,
        description="The ETag of the state that was read; without it 428, of another state 412.",
        examples=['"5d41402abc4b2a76b9719d911017c592"'],
    ),
]


class CursorPage(RequestBody):
    """A page of a list. What comes in meanwhile moves no item to another page."""

    next: NextCursor = None


def cursor_of(kind: str, position: int | str) -> str:
    """Return the cursor of what stands behind `position` in lists of a kind."""
    return urlsafe_b64encode(orjson.dumps([kind, position])).decode().rstrip("=")


def number_in(kind: str, cursor: str | None) -> int | None:
    """Return the position of a cursor, None without one. Raises ProblemError for another's."""
    position = _position_in(kind, cursor)
    if position is None or (isinstance(position, int) and not isinstance(position, bool)):
        return position
    raise _not_of_this_list()


def name_in(kind: str, cursor: str | None) -> str:
    """Return the position of a cursor, "" without one. Raises ProblemError for another's."""
    position = _position_in(kind, cursor)
    if position is None or isinstance(position, str):
        return position or ""
    raise _not_of_this_list()


def _position_in(kind: str, cursor: str | None) -> object:
    if cursor is None:
        return None
    try:
        found = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        of_kind, position = found
    except (ValueError, TypeError):
        raise _not_of_this_list() from None
    if of_kind != kind or position is None:
        raise _not_of_this_list()
    return position


def _not_of_this_list() -> ProblemError:
    return not_as_described("/cursor", "is not the `next` of a page of this list")


def etag_of(*state: object) -> str:
    """Return the ETag of a state: equal states have the same."""
    digest = sha256("\n".join(map(repr, state)).encode("utf-8", "backslashreplace"))
    return f'"{digest.hexdigest()[:_ETAG_CHARS]}"'


def require_match(given: str | None, etag: str) -> None:
    """Raise ProblemError unless a client has read the state that it changes."""
    if given is None:
        raise ProblemError(Problem.PRECONDITION_REQUIRED, headers={"ETag": etag})
    named = {one.strip() for one in given.split(",")}
    if not named & {etag, "*"}:
        raise ProblemError(Problem.PRECONDITION_FAILED, headers={"ETag": etag})
