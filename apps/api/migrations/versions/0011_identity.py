"""Tables of identity: mailed tokens, second factors, other providers, addresses, blocks, exports."""

import sqlalchemy as sa
from alembic import op

revision = "0011_identity"
down_revision = "0010_notifications_rules"


def upgrade() -> None:
    _add_tables()
    _add_columns()


def _add_tables() -> None:
    op.create_table(
        "auth_failures",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_auth_failures")),
    )
    op.create_index(op.f("ix_auth_failures_last_at"), "auth_failures", ["last_at"])
    op.create_table(
        "data_exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("object_key", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "(status = 'EXPIRED') = (object_key IS NULL)", name=op.f("ck_data_exports_has_file_until_expired")
        ),
        sa.CheckConstraint(
            "(status = 'READY') <= (size IS NOT NULL AND expires_at IS NOT NULL)",
            name=op.f("ck_data_exports_ready_is_whole"),
        ),
        sa.CheckConstraint("status IN ('PENDING','READY','EXPIRED')", name=op.f("ck_data_exports_status")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_data_exports_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_exports")),
    )
    op.create_index("ix_data_exports_to_expire", "data_exports", ["expires_at"], postgresql_where="status = 'READY'")
    op.create_index(op.f("ix_data_exports_user_id"), "data_exports", ["user_id"])
    op.create_index(
        "uq_data_exports_pending", "data_exports", ["user_id"], unique=True, postgresql_where="status = 'PENDING'"
    )
    op.create_table(
        "external_identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_external_identities_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_identities")),
    )
    op.create_index("uq_external_identities_subject", "external_identities", ["provider", "subject"], unique=True)
    op.create_index("uq_external_identities_user", "external_identities", ["user_id", "provider"], unique=True)
    op.create_table(
        "mail_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "purpose IN ('VERIFY_EMAIL','CHANGE_EMAIL','RESET_PASSWORD','RESTORE_ACCOUNT')",
            name=op.f("ck_mail_tokens_purpose"),
        ),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_mail_tokens_is_sha256")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mail_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_tokens")),
    )
    op.create_index(op.f("ix_mail_tokens_expires_at"), "mail_tokens", ["expires_at"])
    op.create_index(op.f("ix_mail_tokens_user_id"), "mail_tokens", ["user_id"])
    op.create_index("uq_mail_tokens_token_hash", "mail_tokens", ["token_hash"], unique=True)
    op.create_table(
        "mfa_challenges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mfa_challenges_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mfa_challenges")),
    )
    op.create_index(op.f("ix_mfa_challenges_expires_at"), "mfa_challenges", ["expires_at"])
    op.create_index(op.f("ix_mfa_challenges_user_id"), "mfa_challenges", ["user_id"])
    op.create_index("uq_mfa_challenges_token_hash", "mfa_challenges", ["token_hash"], unique=True)
    op.create_table(
        "oauth_results",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("bound_to", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("length(code_hash) = 32", name=op.f("ck_oauth_results_is_sha256")),
        sa.CheckConstraint("length(bound_to) = 32", name=op.f("ck_oauth_results_is_bound")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_oauth_results_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_results")),
    )
    op.create_index(op.f("ix_oauth_results_expires_at"), "oauth_results", ["expires_at"])
    op.create_index(op.f("ix_oauth_results_user_id"), "oauth_results", ["user_id"])
    op.create_index("uq_oauth_results_code_hash", "oauth_results", ["code_hash"], unique=True)
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "totp_factors",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_totp_factors_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_factors")),
    )
    op.create_table(
        "user_addresses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("line1", sa.Text(), nullable=False),
        sa.Column("line2", sa.Text()),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("postal_code", sa.Text()),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["city"], ["cities.code"], name=op.f("fk_user_addresses_city")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_addresses_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_addresses")),
    )
    op.create_index(op.f("ix_user_addresses_city"), "user_addresses", ["city"])
    op.create_index(op.f("ix_user_addresses_user_id"), "user_addresses", ["user_id"])
    op.create_index(
        "uq_user_addresses_default", "user_addresses", ["user_id"], unique=True, postgresql_where="is_default"
    )
    op.create_table(
        "user_blocks",
        sa.Column("blocker_id", sa.Uuid(), nullable=False),
        sa.Column("blocked_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("blocker_id <> blocked_id", name=op.f("ck_user_blocks_not_oneself")),
        sa.ForeignKeyConstraint(
            ["blocked_id"], ["users.id"], name=op.f("fk_user_blocks_blocked_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["blocker_id"], ["users.id"], name=op.f("fk_user_blocks_blocker_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("blocker_id", "blocked_id", name=op.f("pk_user_blocks")),
    )
    op.create_index(op.f("ix_user_blocks_blocked_id"), "user_blocks", ["blocked_id"])
    op.create_table(
        "oauth_flows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("redirect_to", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["session_id"], ["auth_sessions.id"], name=op.f("fk_oauth_flows_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_flows")),
    )
    op.create_index(op.f("ix_oauth_flows_expires_at"), "oauth_flows", ["expires_at"])
    op.create_index(op.f("ix_oauth_flows_session_id"), "oauth_flows", ["session_id"])
    op.create_index("uq_oauth_flows_state_hash", "oauth_flows", ["state_hash"], unique=True)


def _add_columns() -> None:
    op.add_column("refresh_tokens", sa.Column("rotated_by", sa.Text()))
    op.add_column("auth_sessions", sa.Column("transport", sa.Text(), server_default="token", nullable=False))
    op.add_column(
        "auth_sessions",
        sa.Column("authenticated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("auth_sessions", sa.Column("mfa_at", sa.DateTime(timezone=True)))
    op.add_column("auth_sessions", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE auth_sessions SET expires_at = created_at + interval '180 days'")
    op.alter_column("auth_sessions", "expires_at", nullable=False)
    op.create_check_constraint(op.f("ck_auth_sessions_transport"), "auth_sessions", "transport IN ('token','cookie')")
    op.create_index(op.f("ix_auth_sessions_expires_at"), "auth_sessions", ["expires_at"])
    op.add_column("users", sa.Column("show_city", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("users", sa.Column("show_phone", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("users", sa.Column("show_last_seen", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("users", sa.Column("searchable", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("users", sa.Column("last_seen_at", sa.DateTime(timezone=True)))
    op.add_column("users", sa.Column("erase_after", sa.DateTime(timezone=True)))
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_users_to_erase", "users", ["erase_after"], postgresql_where="erase_after IS NOT NULL AND erased_at IS NULL"
    )
    op.create_check_constraint(
        op.f("ck_users_erased_is_deleted"),
        "users",
        "(erase_after IS NULL AND erased_at IS NULL) OR deleted_at IS NOT NULL",
    )
