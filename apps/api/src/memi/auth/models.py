"""Tables of sessions, mailed tokens and factors. Only hashes of what opens something are kept."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp, RequiredTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class AuthSession(Base):
    """One sign-in on one device; its refresh tokens are one family.

    `authenticated_at` is when its owner last proved who they are, `mfa_at` when a second factor was shown;
    `expires_at` ends it however often it is refreshed.
    """

    __tablename__ = "auth_sessions"
    __table_args__ = (
        CheckConstraint("transport IN ('token','cookie')", name="transport"),
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    epoch: Mapped[int] = mapped_column(Integer)
    transport: Mapped[str] = mapped_column(Text, server_default="token")
    user_agent: Mapped[str | None] = mapped_column(Text)
    ip: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    last_seen_at: Mapped[CreatedAt]
    authenticated_at: Mapped[CreatedAt]
    mfa_at: Mapped[OptionalTimestamp]
    expires_at: Mapped[RequiredTimestamp]
    revoked_at: Mapped[OptionalTimestamp]
    revoked_because: Mapped[str | None] = mapped_column(Text)


class RefreshToken(Base):
    """A refresh token's SHA-256; rotated on use. `siblings` counts what the grace window gave out.

    `rotated_by` is what the client that rotated it called itself: only the same one gets a sibling.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        CheckConstraint("length(token_hash) = 32", name="is_sha256"),
        Index("uq_refresh_tokens_token_hash", "token_hash", unique=True),
        Index(None, "session_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    siblings: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[RequiredTimestamp]
    rotated_at: Mapped[OptionalTimestamp]
    rotated_by: Mapped[str | None] = mapped_column(Text)


class MailToken(Base):
    """What a link in a mail proves: whoever has it reads that address. Minted when the mail is sent; works once."""

    __tablename__ = "mail_tokens"
    __table_args__ = (
        CheckConstraint(
            "purpose IN ('VERIFY_EMAIL','CHANGE_EMAIL','RESET_PASSWORD','RESTORE_ACCOUNT')", name="purpose"
        ),
        CheckConstraint("length(token_hash) = 32", name="is_sha256"),
        Index("uq_mail_tokens_token_hash", "token_hash", unique=True),
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    email: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[RequiredTimestamp]
    used_at: Mapped[OptionalTimestamp]


class AuthFailures(Base):
    """Wrong passwords or codes in a row for one subject (a hash of what was named, known or not), and the wait now."""

    __tablename__ = "auth_failures"
    __table_args__ = (Index(None, "last_at"),)

    subject: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[CreatedAt]
    locked_until: Mapped[OptionalTimestamp]


class TotpFactor(Base):
    """A person's authenticator app. The secret is sealed with the key ring; a time step works once."""

    __tablename__ = "totp_factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
    confirmed_at: Mapped[OptionalTimestamp]


class RecoveryCode(Base):
    """Stands in for the authenticator app once."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[OptionalTimestamp]


class MfaChallenge(Base):
    """A sign-in whose first factor was right and whose second is asked for."""

    __tablename__ = "mfa_challenges"
    __table_args__ = (
        Index("uq_mfa_challenges_token_hash", "token_hash", unique=True),
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    epoch: Mapped[int] = mapped_column(Integer)
    transport: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[RequiredTimestamp]
    used_at: Mapped[OptionalTimestamp]
