"""A provider's name for somebody means them at that provider alone."""

from collections.abc import Callable
from uuid import uuid4

from support.oidc import Account, Browser, OidcProvider
from support.sql import Sql


async def test_the_same_subject_at_another_provider_is_somebody_else(
    google: OidcProvider, apple: OidcProvider, open_browser: Callable[[], Browser], sql: Sql
) -> None:
    subject, made = uuid4().hex, list[str]()
    for provider in (google, apple):
        email = f"{provider.kind}.{subject[:8]}@example.com"
        provider.control(account={"sub": subject, "claims": {"email": email, "email_verified": True}})
        reply = await open_browser().sign_in(Account(provider.kind, subject, email))
        assert reply.json()["user"]["email"] == email
        made.append(reply.json()["user"]["id"])
    assert made[0] != made[1]
    linked = await sql.rows("SELECT provider, user_id FROM external_identities WHERE subject = $1", subject)
    assert sorted((row["provider"], str(row["user_id"])) for row in linked) == sorted(
        zip(("google", "apple"), made, strict=True)
    )
