"""People who are gone for good, and what they said: erased as an administrator asks for it."""

from uuid import UUID

import pytest

from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from memi.privacy.erasure import erase_accounts
from support.people import People, Person
from support.sql import Sql

WHY = "Asked for by letter, ticket 4711"
ASK = """
INSERT INTO audit_log (id, actor_id, action, target_type, target_id, reason)
VALUES ($1, $2, 'user.erase_words', 'USER', $3, $4)
"""


class Leaving:
    def __init__(self, people: People, runtime: Runtime, sql: Sql) -> None:
        self.people, self.runtime, self.sql = people, runtime, sql

    async def gone(self, person: Person) -> None:
        """The account is deleted, its days are over, and it is erased."""
        assert (await person.delete("/users/me")).status_code == 204
        await self.sql.execute(
            "UPDATE users SET erase_after = now() - interval '1 second' WHERE id = $1", UUID(person.id)
        )
        await erase_accounts.run(self.runtime)
        assert await self.sql.value("SELECT erased_at FROM users WHERE id = $1", UUID(person.id)) is not None

    async def asked(self, person: Person, *, reason: str | None = WHY) -> UUID:
        """The audit entry of somebody who asks for a person's words to be erased, whoever the person is."""
        admin, entry = await self.people.admin(), new_id()
        await self.sql.execute(ASK, entry, UUID(admin.id), person.id, reason)
        return entry


@pytest.fixture(scope="module")
async def leaving(people: People, runtime: Runtime, sql: Sql) -> Leaving:
    return Leaving(people, runtime, sql)
