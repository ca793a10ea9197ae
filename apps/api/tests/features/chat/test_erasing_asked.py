"""Who may have words erased: an administrator, of an account whose days were over, and said so before."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from memi.chat.erasing import Erasing, erase_words
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from support.leaving import ASK, WHY, Leaving
from support.people import People
from support.sql import Sql
from support.talks import Talk, Talks

ERASE = "SELECT * FROM chat_erase_words($1, gen_random_uuid(), $2, NULL, NULL, NULL)"
ERASED = (
    "UPDATE users SET erased_at = now(), password_hash = NULL, bio = NULL, avatar_upload_id = NULL, avatar_url = NULL,"
    " city = NULL, phone = NULL, email = 'deleted-' || id || '@deleted.invalid' WHERE id = $1"
)
DAYS = "SELECT deleted_at, erase_after, erased_at FROM users WHERE id = $1"


async def bodies(talk: Talk, sql: Sql) -> list[str]:
    rows = await sql.rows("SELECT body FROM messages WHERE chat_id = $1 ORDER BY seq", UUID(talk.id))
    return [row["body"] for row in rows]


@pytest.fixture
async def talk(talks: Talks) -> Talk:
    return await talks.new()


class Service:
    """What holds the service's role, and no more."""

    def __init__(self, urls: EmbeddedUrls, sql: Sql) -> None:
        self.urls, self.sql = urls, sql

    async def is_refused(self, talk: Talk, request: UUID, most: int | None = 100) -> None:
        async with Sql.connect(self.urls.app) as app:
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
                await app.rows(ERASE, request, most)
        assert await bodies(talk, self.sql) == ["Is it still there?"]

    async def may(self, talk: Talk, request: UUID) -> None:
        async with Sql.connect(self.urls.app) as app:
            assert (await app.rows(ERASE, request, 100))[0]["messages"] == 1
        assert await bodies(talk, self.sql) == [""]


@pytest.fixture
def service(database_urls: EmbeddedUrls, sql: Sql) -> Service:
    return Service(database_urls, sql)


class TestTheEntry:
    async def test_of_an_account_that_stands_or_may_still_come_back(
        self, talk: Talk, leaving: Leaving, service: Service
    ) -> None:
        request = await leaving.asked(talk.buyer)
        await service.is_refused(talk, request)
        assert (await talk.buyer.delete("/users/me")).status_code == 204
        await service.is_refused(talk, request)

    async def test_says_who_asked_and_why_in_nobodys_place(
        self, talk: Talk, leaving: Leaving, people: People, sql: Sql, service: Service
    ) -> None:
        await leaving.gone(talk.buyer)
        nobody, done, borrowed = uuid4(), new_id(), new_id()
        await sql.execute(ASK, nobody, None, talk.buyer.id, WHY)
        await sql.execute(ASK.replace("erase_words", "words_erased"), done, None, talk.buyer.id, WHY)
        await sql.execute(
            ASK.replace("actor_id", "impersonator_id, actor_id").replace("$2", "$2, $2"),
            borrowed,
            UUID((await people.admin()).id),
            talk.buyer.id,
            WHY,
        )
        for request in (uuid4(), nobody, done, borrowed, await leaving.asked(talk.buyer, reason=None)):
            await service.is_refused(talk, request)

    @pytest.mark.parametrize(
        "change", ["roles = '{USER}'", "roles = '{MODERATOR}'", "is_blocked = true", "deleted_at = now()"]
    )
    async def test_is_of_who_is_an_administrator_still(
        self, talk: Talk, leaving: Leaving, service: Service, runtime: Runtime, change: str
    ) -> None:
        sql = service.sql
        await leaving.gone(talk.buyer)
        request = await leaving.asked(talk.buyer)
        actor = await sql.value("SELECT actor_id FROM audit_log WHERE id = $1", request)
        await sql.execute(f"UPDATE users SET {change} WHERE id = $1", actor)
        await service.is_refused(talk, request)
        with pytest.raises(Exception, match="is no administrator now"):
            await erase_words.run(Erasing(request), runtime)
        assert await bodies(talk, sql) == ["Is it still there?"]
        await sql.execute(
            "UPDATE users SET roles = '{ADMIN}', is_blocked = false, deleted_at = NULL WHERE id = $1", actor
        )
        await service.may(talk, request)

    @pytest.mark.parametrize("linked", [False, True])
    @pytest.mark.parametrize("where", ["plainly", "in a savepoint", "in one that was released", "in one in another"])
    async def test_is_of_another_transaction(
        self, talk: Talk, leaving: Leaving, service: Service, linked: bool, where: str
    ) -> None:
        await leaving.gone(talk.buyer)
        admin, request = UUID((await leaving.people.admin()).id), new_id()
        async with Sql.connect(service.urls.app) as app:
            for statement in ("BEGIN", *(["SELECT pg_current_xact_id()"] if where == "plainly" else [])):
                await app.execute(statement)
            if where != "plainly":
                await app.execute("SAVEPOINT one")
            if where == "in one in another":
                await app.execute("SAVEPOINT two")
            await app.execute(ASK, request, admin, talk.buyer.id, WHY)
            if linked:
                await app.execute("SET CONSTRAINTS audit_log_link IMMEDIATE; SET CONSTRAINTS audit_log_link DEFERRED")
                assert await app.value("SELECT chain_seq IS NOT NULL FROM audit_log WHERE id = $1", request)
            if where == "in one in another":
                await app.execute("RELEASE two")
            if where == "in one that was released":
                await app.execute("RELEASE one")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="nobody asked"):
                await app.rows(ERASE, request, 100)
            await app.execute("ROLLBACK")
            assert await bodies(talk, service.sql) == ["Is it still there?"]
            await app.execute(ASK, request, admin, talk.buyer.id, WHY)
        await service.may(talk, request)

    async def test_without_a_bound(self, talk: Talk, leaving: Leaving, service: Service) -> None:
        await leaving.gone(talk.buyer)
        request = await leaving.asked(talk.buyer)
        for most in (None, 0, -1, 10_001):
            await service.is_refused(talk, request, most)


class TestTheDays:
    """What the service's role cannot do to an account, so that it cannot make it one whose words may go."""

    @pytest.mark.parametrize("role", ["app", "migrator", "superuser"])
    async def test_nobody_erases_an_account_before_they_are_over(
        self, talk: Talk, sql: Sql, database_urls: EmbeddedUrls, role: str
    ) -> None:
        person = UUID(talk.buyer.id)
        for delete in (False, True):
            if delete:
                assert (await talk.buyer.delete("/users/me")).status_code == 204
            before = await sql.rows(DAYS, person)
            async with Sql.connect(getattr(database_urls, role)) as connection:
                for mode in ("origin", "replica") if role == "superuser" else ("origin",):
                    if role == "superuser":
                        await connection.execute(f"SET session_replication_role = {mode}")
                    for statement in (ERASED, ERASED.replace("SET", "SET deleted_at = now(), erase_after = now(),")):
                        with pytest.raises(
                            asyncpg.IntegrityConstraintViolationError, match=r"account .* (not over|shorter)"
                        ):
                            await connection.execute(statement, person)
            assert await sql.rows(DAYS, person) == before

    async def test_the_service_cannot_make_them_shorter(
        self, talk: Talk, sql: Sql, database_urls: EmbeddedUrls
    ) -> None:
        person = UUID(talk.buyer.id)
        shorter = (
            "erase_after = now()",
            "erase_after = now() + interval '23 hours'",
            "erase_after = erase_after - interval '1 second'",
        )
        async with Sql.connect(database_urls.app) as app:
            for change in shorter[:2]:
                with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="shorter"):
                    await app.execute(f"UPDATE users SET deleted_at = now(), {change} WHERE id = $1", person)
            assert (await talk.buyer.delete("/users/me")).status_code == 204
            before = await sql.rows(DAYS, person)
            for change in shorter:
                with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="shorter"):
                    await app.execute(f"UPDATE users SET {change} WHERE id = $1", person)
            assert await sql.rows(DAYS, person) == before
            longer = "UPDATE users SET erase_after = erase_after + interval '1 day' WHERE id = $1"
            assert await app.execute(longer, person) == "UPDATE 1"
