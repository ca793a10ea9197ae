"""What is left of a person when their days are over: nothing that says who it was."""

import asyncio
from uuid import UUID

import asyncpg
import httpx
import pytest

from features.privacy.conftest import Mailbox, RunJobs, days_pass
from memi import parts
from memi.media.store import store_of
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.job_queue import DeadJob
from memi.platform.runtime import Runtime
from memi.privacy.erasure import ErasureIncomplete, erase_accounts
from support.lives import WORDS, Life, live
from support.people import PASSWORD, People, Person
from support.sql import Sql

TABLES = """
SELECT c.relname AS "table", a.attname AS "column", a.atttypid = 'bytea'::regtype AS is_bytes
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
"""


async def places_of(sql: Sql, word: str) -> set[str]:
    """Every column of the database in which this word is, whatever its type."""
    found: set[str] = set()
    for row in await sql.rows(TABLES):
        column = f'"{row["column"]}"'
        test = f"position($1::bytea IN {column}) > 0" if row["is_bytes"] else f"position($1 IN {column}::text) > 0"
        value = word.encode() if row["is_bytes"] else word
        if await sql.value(f'SELECT EXISTS (SELECT FROM "{row["table"]}" WHERE {test})', value):
            found.add(f"{row['table']}.{row['column']}")
    return found


async def erase(person: Person, runtime: Runtime, sql: Sql, run_jobs: RunJobs) -> None:
    assert (await person.delete("/users/me")).status_code == 204
    await run_jobs()
    await days_pass(sql, person)
    await erase_accounts.run(runtime)
    await run_jobs()


@pytest.fixture(scope="module")
async def before(people: People, sql: Sql, runtime: Runtime) -> tuple[Life, dict[str, set[str]], list[str]]:
    """A life, where its words were while it lasted, and the keys of its files. It is over now."""
    run_jobs = _jobs_of(runtime)
    life = await live(people, sql, run_jobs)
    asked = await life.person.get("/users/me/export")
    assert asked.status_code == 202
    await run_jobs()
    places = {word: await places_of(sql, word) for word in (*WORDS.values(), life.person.email)}
    keys = await _keys(sql, life.person)
    await erase(life.person, runtime, sql, run_jobs)
    return life, places, keys


@pytest.fixture
def life(before: tuple[Life, dict[str, set[str]], list[str]]) -> Life:
    return before[0]


def _jobs_of(runtime: Runtime) -> RunJobs:
    from memi.platform.job_runner import JobRunner

    return JobRunner(runtime, parts.JOBS).drain


async def _keys(sql: Sql, person: Person) -> list[str]:
    rows = await sql.rows(
        "SELECT object_key AS key FROM data_exports WHERE user_id = $1 AND object_key IS NOT NULL UNION ALL "
        "SELECT original_key FROM uploads WHERE owner_id = $1 UNION ALL "
        "SELECT jsonb_array_elements(renditions)->>'key' FROM uploads WHERE owner_id = $1",
        UUID(person.id),
    )
    return [row["key"] for row in rows]


class TestNothingIsLeft:
    async def test_none_of_their_words_is_anywhere_in_the_database(
        self, before: tuple[Life, dict[str, set[str]], list[str]], sql: Sql
    ) -> None:
        _, places, _ = before
        assert {word for word, found in places.items() if not found} == set(), "the search finds what is there"
        assert {"listing_cards.page", "notifications.data", "orders.address", "users.name"} <= set().union(
            *places.values()
        )
        left = {word: found for word in places if (found := await places_of(sql, word))}
        assert left == {}

    async def test_every_column_that_is_declared_erased_has_no_row_of_theirs(self, life: Life, sql: Sql) -> None:
        columns = [name for part in parts.PERSONAL_DATA for name in part.erased]
        assert len(columns) > 12
        left = {}
        for name in columns:
            table, column = name.split(".")
            left[name] = await sql.value(f"SELECT count(*) FROM {table} WHERE {column} = $1", UUID(life.person.id))
        assert {name: count for name, count in left.items() if count} == {}

    async def test_the_account_is_nobodys(self, life: Life, sql: Sql, client: httpx.AsyncClient) -> None:
        row = (await sql.rows("SELECT * FROM users WHERE id = $1", UUID(life.person.id)))[0]
        assert (row["email"], row["name"]) == (f"deleted-{life.person.id}@deleted.invalid", "Deleted user")
        for name in ("password_hash", "bio", "phone", "city", "avatar_url", "avatar_upload_id", "last_seen_at"):
            assert row[name] is None, name
        assert row["erased_at"] is not None
        body = {"email": row["email"], "password": PASSWORD}
        assert (await client.post("/api/v1/auth/login", json=body)).status_code == 401

    async def test_their_files_are_gone_but_for_covers_that_others_see(
        self, before: tuple[Life, dict[str, set[str]], list[str]], sql: Sql, runtime: Runtime
    ) -> None:
        life, _, keys = before
        store = store_of(runtime.adapters)
        rows = await sql.rows("SELECT id, renditions FROM uploads WHERE owner_id = $1", UUID(life.person.id))
        assert {str(row["id"]) for row in rows} == {life.pictures["cover"], life.pictures["sold"]}
        shown = await sql.rows(
            "SELECT jsonb_array_elements(renditions)->>'key' AS key FROM uploads WHERE owner_id = $1",
            UUID(life.person.id),
        )
        covers = {row["key"] for row in shown}
        assert len(keys) > len(covers) > 1
        there = {key for key in keys if await store.size(key) is not None}
        assert there == covers

    async def test_what_ran_in_the_background_went_well(self, life: Life, runtime: Runtime, sql: Sql) -> None:
        assert await sql.rows(f"SELECT name, error FROM {DeadJob.__tablename__}") == []


class TestWhatOthersKeep:
    async def test_their_messages_as_a_deleted_users(self, life: Life) -> None:
        chat_id = life.chats[0]
        messages = (await life.buyer.get(f"/chats/{chat_id}/messages?after_seq=0")).json()["items"]
        assert [message["body"] for message in messages] == [f"Hello from {life.kept}", "Hello back"]
        assert messages[1]["sender_id"] == life.person.id
        chat = (await life.buyer.get(f"/chats/{chat_id}")).json()
        assert chat["other"] == {"id": life.person.id, "name": "Deleted user", "avatar_url": None}

    async def test_the_stub_of_an_item_they_talked_about(self, life: Life, client: httpx.AsyncClient) -> None:
        for chat_id, status in ((life.chats[0], "DELETED"), (life.chats[1], "SOLD")):
            listing = (await life.buyer.get(f"/chats/{chat_id}")).json()["listing"]
            assert (listing["title"], listing["status"], listing["available"]) == (
                "Wool coat, hardly worn",
                status,
                False,
            )
            assert listing["price"] == {"amount": 4500, "currency": "AZN"}
            cover = listing["cover"]["url"].partition("/media/")[2]
            assert (await client.get(f"/media/{cover}")).status_code == 200

    async def test_a_stub_says_nothing_else(self, life: Life, sql: Sql) -> None:
        rows = await sql.rows(
            "SELECT description, city, lat, lon FROM listings WHERE seller_id = $1", UUID(life.person.id)
        )
        assert rows == [{"description": "", "city": None, "lat": None, "lon": None}] * 2

    async def test_items_that_nobody_talked_about_and_drafts_are_gone(self, life: Life, sql: Sql) -> None:
        rows = await sql.rows("SELECT id FROM listings WHERE seller_id = $1", UUID(life.person.id))
        assert {str(row["id"]) for row in rows} == {life.kept, life.sold}

    async def test_deals_with_a_deleted_user(self, life: Life) -> None:
        deals = (await life.buyer.get("/reservations")).json()["items"]
        assert [(deal["status"], deal["seller"]["name"]) for deal in deals] == [("COMPLETED", "Deleted user")]

    async def test_what_they_were_told_without_the_name(self, life: Life) -> None:
        told = (await life.buyer.get("/notifications?limit=100")).json()["items"]
        names = {item["data"].get("sender_name") or item["data"].get("other_name") for item in told}
        assert names - {None} == {"Deleted user"}

    async def test_favourite_counts_without_theirs(self, life: Life, client: httpx.AsyncClient) -> None:
        assert (await client.get(f"/api/v1/listings/{life.liked}")).json()["favorite_count"] == 0

    async def test_the_address_can_be_registered_anew(self, life: Life, client: httpx.AsyncClient) -> None:
        body = {"email": life.person.email, "password": PASSWORD, "name": "Again"}
        reply = await client.post("/api/v1/auth/register", json=body)
        assert reply.status_code == 201
        assert reply.json()["user"]["id"] != life.person.id


class TestWhen:
    async def test_not_before_the_days_are_over(
        self, people: People, runtime: Runtime, sql: Sql, mailbox: Mailbox
    ) -> None:
        person = await people.new()
        await person.delete("/users/me")
        await erase_accounts.run(runtime)
        row = (await sql.rows("SELECT email, erased_at FROM users WHERE id = $1", UUID(person.id)))[0]
        assert (row["email"], row["erased_at"]) == (person.email, None)

    async def test_never_an_account_that_was_not_deleted(self, people: People, sql: Sql) -> None:
        person = await people.new()
        with pytest.raises(asyncpg.CheckViolationError):
            await days_pass(sql, person)

    async def test_of_a_return_and_the_erasure_at_once_one_wins(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime, sql: Sql, mailbox: Mailbox
    ) -> None:
        for _ in range(5):
            person = await people.new()
            await person.delete("/users/me")
            token = await mailbox.token_of(person)
            await sql.execute(
                "UPDATE users SET erase_after = clock_timestamp() + interval '20 ms' WHERE id = $1", UUID(person.id)
            )

            async def come_back(token: str = token) -> int:
                await asyncio.sleep(0.01)
                return (await client.post("/api/v1/auth/account/restore", json={"token": token})).status_code

            async def go() -> None:
                for _ in range(8):
                    await erase_accounts.run(runtime)
                    await asyncio.sleep(0.005)

            status, _ = await asyncio.gather(come_back(), go())
            row = (await sql.rows("SELECT * FROM users WHERE id = $1", UUID(person.id)))[0]
            if status == 204:
                assert (row["email"], row["deleted_at"], row["erased_at"]) == (person.email, None, None)
            else:
                assert status in (400, 410)
                await erase_accounts.run(runtime)
                assert await sql.value("SELECT erased_at FROM users WHERE id = $1", UUID(person.id)) is not None

    async def test_two_workers_erase_an_account_once(self, people: People, runtime: Runtime, sql: Sql) -> None:
        person = await people.new()
        await person.delete("/users/me")
        await days_pass(sql, person)
        version = await sql.value("SELECT version FROM users WHERE id = $1", UUID(person.id))
        await asyncio.gather(*(erase_accounts.run(runtime) for _ in range(4)))
        assert await sql.value("SELECT version FROM users WHERE id = $1", UUID(person.id)) == version + 1

    async def test_erased_is_for_good(self, people: People, runtime: Runtime, sql: Sql) -> None:
        person = await people.new()
        await person.delete("/users/me")
        await days_pass(sql, person)
        await erase_accounts.run(runtime)
        for change in ("erased_at = NULL", "deleted_at = NULL, erase_after = NULL, erased_at = NULL", "name = 'Me'"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="erased for good"):
                await sql.execute(f"UPDATE users SET {change} WHERE id = $1", UUID(person.id))
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute("UPDATE users SET phone = '+1' WHERE id = $1", UUID(person.id))

    async def test_one_that_cannot_be_erased_is_whole_told_of_and_holds_up_no_other(
        self, people: People, runtime: Runtime, sql: Sql
    ) -> None:
        stuck, other = await people.new("Stuck"), await people.new("Other")
        await stuck.post("/users/me/addresses", {"recipient": "Me", "line1": "Here 1", "city": "BAKU"})
        await sql.execute("CREATE TABLE obstacle (address_id uuid REFERENCES user_addresses (id))")
        await sql.execute("INSERT INTO obstacle SELECT id FROM user_addresses WHERE user_id = $1", UUID(stuck.id))
        for person in (stuck, other):
            await person.delete("/users/me")
            await days_pass(sql, person)
        with pytest.raises(ErasureIncomplete):
            await erase_accounts.run(runtime)
        emails = {
            str(row["id"]): row["email"]
            for row in await sql.rows(
                "SELECT id, email FROM users WHERE id = ANY($1)", [UUID(stuck.id), UUID(other.id)]
            )
        }
        assert emails[stuck.id] == stuck.email
        assert emails[other.id].startswith("deleted-")
        assert await sql.value("SELECT count(*) FROM auth_sessions WHERE user_id = $1", UUID(stuck.id)) > 0
        await sql.execute("DROP TABLE obstacle")
        await erase_accounts.run(runtime)
        assert await sql.value("SELECT erased_at FROM users WHERE id = $1", UUID(stuck.id)) is not None


class TestDecided:
    REFERENCES = """
        SELECT conrelid::regclass::text || '.' || a.attname AS "column" FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid = 'users'::regclass
    """

    async def undecided(self, sql: Sql) -> set[str]:
        decided = [name for part in parts.PERSONAL_DATA for name in (*part.erased, *part.kept)]
        assert len(decided) == len(set(decided))
        return {row["column"] for row in await sql.rows(self.REFERENCES)} ^ set(decided)

    async def test_every_reference_to_a_person_is_declared_erased_or_kept_for_a_reason(self, sql: Sql) -> None:
        assert await self.undecided(sql) == set()
        assert all(len(why) > 20 for part in parts.PERSONAL_DATA for why in part.kept.values())

    async def test_a_new_table_without_a_decision_is_found(self, sql: Sql, database_urls: EmbeddedUrls) -> None:
        await sql.execute("CREATE TABLE diaries (author_id uuid REFERENCES users (id))")
        assert await self.undecided(sql) == {"diaries.author_id"}
        await sql.execute("DROP TABLE diaries")
