"""Tables of signing in with other providers."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp, RequiredTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id


class ExternalIdentity(Base):
    """An account at a provider that signs a person in here."""

    __tablename__ = "external_identities"
    __table_args__ = (
        Index("uq_external_identities_subject", "provider", "subject", unique=True),
        Index("uq_external_identities_user", "user_id", "provider", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]


class OAuthFlow(Base):
    """A trip to a provider and back, known by hashes of its `state` and of the secret its browser holds."""

    __tablename__ = "oauth_flows"
    __table_args__ = (
        Index("uq_oauth_flows_state_hash", "state_hash", unique=True),
        Index(None, "session_id"),
        Index(None, "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(Text)
    state_hash: Mapped[bytes] = mapped_column(LargeBinary)
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    redirect_to: Mapped[str] = mapped_column(Text)
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[RequiredTimestamp]
    used_at: Mapped[OptionalTimestamp]


class OAuthResult(Base):
    """What a finished trip proved, waiting for the front end to come with its one-time code.

    `bound_to` is the SHA-256 of what whoever comes must also show: the secret of the browser that began, or the code
    verifier that the front end kept.
    """

    __tablename__ = "oauth_results"
    __table_args__ = (
        CheckConstraint("length(code_hash) = 32", name="is_sha256"),
        CheckConstraint("length(bound_to) = 32", name="is_bound"),
        Index("uq_oauth_results_code_hash", "code_hash", unique=True),
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    bound_to: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[RequiredTimestamp]
    used_at: Mapped[OptionalTimestamp]
