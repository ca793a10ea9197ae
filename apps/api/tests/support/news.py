"""News as a worker mails them, with the clock where a test wants it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.notifications import service
from memi.notifications.mail_jobs import queue_due_mails
from memi.notifications.preference_schemas import Type
from memi.platform.mail_folder import mail_folder
from memi.platform.runtime import Runtime
from support.accounts import accounts, tokens_of
from support.people import Person
from support.sql import Sql


@dataclass
class Newsroom:
    runtime: Runtime
    client: httpx.AsyncClient
    sql: Sql
    run_jobs: Callable[[], Awaitable[None]]

    async def reader(self, number: int = 1) -> Any:
        """People with an address that is proved; one of them alone."""
        made = await accounts(number, self.client, tokens_of(self.runtime), self.sql)
        await self.can_be_mailed(*made)
        return made[0] if number == 1 else made

    async def can_be_mailed(self, *people: Person) -> None:
        """They have proved their address, and read English."""
        await self.sql.execute(
            "UPDATE users SET email_verified_at = now(), locale = 'en' WHERE id = ANY($1::uuid[])",
            [UUID(one.id) for one in people],
        )

    async def tell(
        self,
        person: Person,
        type: Type = "MODERATION",
        event: str = "account.unblocked",
        *,
        key: str | None = None,
        **data: Any,
    ) -> bool:
        async with self.runtime.unit_of_work() as session:
            return await service.notify(session, UUID(person.id), type, event, data, key or str(uuid4()))

    async def send(self) -> None:
        """Let workers do all that is due."""
        await self.run_jobs()
        await queue_due_mails.run(self.runtime)
        await self.run_jobs()

    async def pass_time(self, person: Person, minutes: int) -> None:
        await self.sql.execute(
            "UPDATE notification_mails SET due_at = due_at - make_interval(mins => $2) "
            "WHERE user_id = $1 AND state = 'DUE'",
            UUID(person.id),
            minutes,
        )

    def mails(self, person: Person) -> list[EmailMessage]:
        """What the person got, oldest first."""
        found: list[Any] = [
            message_from_bytes(path.read_bytes(), EmailMessage, policy=SMTP)  # pyright: ignore[reportCallIssue, reportArgumentType]
            for path in sorted(mail_folder(self.runtime.settings).glob("*.eml"))
        ]
        return [mail for mail in found if mail["To"] == person.email and mail["List-Unsubscribe"]]

    def subjects(self, person: Person) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails(person)]

    async def states(self, person: Person) -> list[str]:
        rows = await self.sql.rows(
            "SELECT state FROM notification_mails WHERE user_id = $1 ORDER BY notification_id", UUID(person.id)
        )
        return [row["state"] for row in rows]

    async def prefer(self, person: Person, **changes: Any) -> dict[str, Any]:
        """Change some of a person's table; `MESSAGE={"email": False}` changes that way of that type."""
        table = (await person.get("/notifications/preferences")).json()
        for name, value in changes.items():
            if name in table["types"]:
                table["types"][name].update(value)
            else:
                table[name] = value
        reply = await person.put("/notifications/preferences", table)
        assert reply.status_code == 200, reply.text
        assert reply.json() == table
        return table


@pytest.fixture
def news(runtime: Runtime, client: httpx.AsyncClient, sql: Sql, run_jobs: Callable[[], Awaitable[None]]) -> Newsroom:
    return Newsroom(runtime, client, sql, run_jobs)
