"""The ends that agreements taken by the API had in words only."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from gateway.domain.consent import end_said

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_UNTIL = re.compile(r"(?:^|; )until ([0-9]{4}-[0-9]{2}-[0-9]{2})(?=; |$)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ENDLESS = sa.text(
    "SELECT msisdn, scope, evidence FROM consent_answers WHERE until IS NULL"
    " AND answer <> 'refused' AND channel LIKE 'api: %' AND evidence LIKE '%until %'"
)
_END = sa.text(
    "UPDATE consent_answers SET until = :until WHERE msisdn = :msisdn AND scope = :scope"
)


def upgrade() -> None:
    """Let agreements end on the last day that the SP named, the first of several.

    Of those that an audit proved since, and of those that answered a request, the words are
    not on record: they go on without an end, as they were taken.
    """
    connection = op.get_bind()
    ends = [
        {"msisdn": msisdn, "scope": scope, "until": until}
        for msisdn, scope, evidence in connection.execute(_ENDLESS)
        if (until := min(_ends(evidence), default=None)) is not None
    ]
    if ends:
        connection.execute(_END, ends)


def downgrade() -> None:
    """Keep the ends: the words say the same."""


def _ends(evidence: str) -> Iterator[int]:
    for day in _UNTIL.findall(evidence):
        try:
            end = end_said(day)
        except ValueError:
            continue  # no such day
        yield (end - _EPOCH) // timedelta(microseconds=1)
