"""Mails as the local mailer leaves them, accounts whose days are over, and deals."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from memi.platform.mail_folder import KeptMail, read_folder
from memi.platform.settings import Settings
from support.deals import deals as deals
from support.people import Person
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


class Mailbox:
    """What was sent to whom. Mails leave when jobs run."""

    def __init__(self, settings: Settings, run_jobs: RunJobs) -> None:
        self._folder = settings.data_dir / "mail"
        self._run_jobs = run_jobs

    async def of(self, person: Person) -> list[KeptMail]:
        await self._run_jobs()
        return [mail for mail in read_folder(self._folder) if person.email in mail.to]

    async def link_of(self, person: Person) -> str:
        """The link of the last mail."""
        link = (await self.of(person))[-1].link
        assert link is not None
        return link

    async def token_of(self, person: Person) -> str:
        """The token at the end of the last mail's link."""
        return (await self.link_of(person)).partition("#token=")[2]


@pytest.fixture
def mailbox(settings: Settings, run_jobs: RunJobs) -> Mailbox:
    return Mailbox(settings, run_jobs)


async def days_pass(sql: Sql, person: Person) -> None:
    """Make the days in which a deleted account can be had back be over."""
    await sql.execute("UPDATE users SET erase_after = now() - interval '1 second' WHERE id = $1", UUID(person.id))
