"""The tables of users, of their sessions, and of the devices that they have signed in from."""

import sqlalchemy as sa

from gateway.domain.permissions import UserRole
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.sealed_columns import SealedText
from gateway.storage.tables import UtcTime, metadata, word
from gateway.systems.users.model import MAX_NAME_CHARS, UserState

# Those of RoleGrant and User; "" and NULL where a user has not set credentials, or has no link.
users = sa.Table(
    "users",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("name", sa.String(MAX_NAME_CHARS), nullable=False),
    sa.Column("role", word(UserRole, 16), nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("province", sa.String(16), nullable=False),
    sa.Column("state", word(UserState, 8), nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False, server_default=""),
    sa.Column("totp_secret", SealedText("users.totp_secret"), nullable=True),
    # The last step whose TOTP code was accepted.
    sa.Column("totp_step", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("link_sha256", sa.String(64), nullable=True),
    sa.Column("link_until", UtcTime, nullable=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Index("uq_users_name", "name", unique=True),
    sa.Index("uq_users_link", "link_sha256", unique=True),
    # A name may come back; its number must not, for sessions and journals name it.
    **NEVER_REUSED,
)

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("user_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.String(64), primary_key=True),
)

# Of a token only its SHA-256 is kept: who reads the store cannot sign in with what stands there.
user_sessions = sa.Table(
    "user_sessions",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("user_number", sa.BigInteger, nullable=False),
    *columns(UtcTime, "created_at", "seen_at"),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Index(None, "user_number", "seen_at"),
    sa.Index(None, "seen_at"),
)

user_devices = sa.Table(
    "user_devices",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("user_number", sa.BigInteger, nullable=False),
    sa.Column("known_at", UtcTime, nullable=False),
    sa.Index(None, "user_number", "known_at"),
    sa.Index(None, "known_at"),
)
