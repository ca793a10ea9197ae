"""Taking one's data along: what is in the file, who gets it, and for how long."""

import asyncio
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from features.privacy.conftest import Mailbox, RunJobs
from memi.media.store import store_of
from memi.parts import JOBS, PERSONAL_DATA
from memi.platform.job_runner import JobRunner
from memi.platform.limits import Limiter
from memi.platform.personal_data import Batch, Kind, PersonalData, PersonalDataRegistry
from memi.platform.runtime import Runtime
from memi.privacy.exports import MakeExport, expire_exports, make_export
from support.lives import WORDS, Life, live
from support.people import People, Person
from support.sql import Sql

EXPORT = "/users/me/export"


async def fetch(person: Person, run_jobs: RunJobs) -> dict[str, Any]:
    """Ask, wait, and read every file of what one gets."""
    reply = await person.get(EXPORT)
    assert reply.status_code == 202, reply.text
    await run_jobs()
    ready = await person.get(EXPORT)
    assert ready.status_code == 200, ready.text
    return open_zip((await person.client.get(urlsplit(ready.json()["url"]).path)).content)


def open_zip(content: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {
            name: json.loads(archive.read(name)) if name.endswith(".json") else archive.read(name).decode()
            for name in archive.namelist()
        }


@pytest.fixture(scope="module")
async def lived(people: People, sql: Sql, runtime: Runtime) -> tuple[Life, dict[str, Any]]:
    run_jobs = JobRunner(runtime, JOBS).drain
    life = await live(people, sql, run_jobs)
    return life, await fetch(life.person, run_jobs)


@pytest.fixture
def life(lived: tuple[Life, dict[str, Any]]) -> Life:
    return lived[0]


@pytest.fixture
def files(lived: tuple[Life, dict[str, Any]]) -> dict[str, Any]:
    return lived[1]


class TestContent:
    async def test_the_account_as_its_owner_knows_it(self, life: Life, files: dict[str, Any]) -> None:
        me = (await life.person.get("/users/me")).json()
        account = files["account.json"]
        for name in ("id", "email", "name", "bio", "avatar_url", "city", "phone", "locale", "roles", "created_at"):
            assert account[name] == me[name], name
        assert account["has_password"] is True

    async def test_addresses_privacy_and_blocks(self, life: Life, files: dict[str, Any]) -> None:
        assert files["privacy.json"] == (await life.person.get("/users/me/privacy")).json()
        assert [item["line1"] for item in files["addresses.json"]] == [WORDS["address"]]
        assert [item["name"] for item in files["blocks.json"]] == ["Stranger"]

    async def test_sign_ins_and_by_what(self, life: Life, files: dict[str, Any]) -> None:
        assert [item["device"] for item in files["sessions.json"]] == [WORDS["device"]]
        assert [(item["provider"], item["subject"]) for item in files["identities.json"]] == [
            ("google", WORDS["subject"])
        ]
        assert files["second_factor.json"]["recovery_codes_left"] == 2

    async def test_every_listing_in_any_state_with_its_pictures(self, life: Life, files: dict[str, Any]) -> None:
        listings = {item["id"]: item for item in files["listings.json"]}
        assert {key: item["status"] for key, item in listings.items()} == {
            life.kept: "ACTIVE",
            life.sold: "SOLD",
            life.unnoticed: "ACTIVE",
            life.draft: "DRAFT",
        }
        assert listings[life.kept]["description"] == WORDS["description"]
        own = (await life.person.get(f"/listings/{life.kept}")).json()
        assert listings[life.kept]["images"] == own["images"]
        assert {item["id"] for item in files["pictures.json"]} == {
            upload for name, upload in life.pictures.items() if name != "sellers"
        }

    async def test_favourites_deals_and_what_one_was_told(self, life: Life, files: dict[str, Any]) -> None:
        assert [item["listing_id"] for item in files["favorites.json"]] == [life.liked]
        deals = {item["listing_id"]: item for item in files["reservations.json"]}
        assert {key: (item["you_are"], item["with"], item["status"]) for key, item in deals.items()} == {
            life.sold: ("seller", "Leyla", "COMPLETED"),
            life.liked: ("buyer", "Murad", "REQUESTED"),
        }
        told = (await life.person.get("/notifications?limit=100")).json()["items"]
        assert {item["id"] for item in files["notifications.json"]} == {item["id"] for item in told}

    async def test_orders_with_where_they_go(self, life: Life, files: dict[str, Any]) -> None:
        assert [(item["id"], item["you_are"], item["with"]) for item in files["orders.json"]] == [
            (life.order, "buyer", "Murad")
        ]
        assert files["orders.json"][0]["address"]["line1"] == WORDS["address"]

    async def test_every_message_of_every_chat_in_order(self, life: Life, files: dict[str, Any]) -> None:
        assert {item["id"] for item in files["chats.json"]} == set(life.chats)
        assert {item["with"] for item in files["chats.json"]} == {"Leyla", "Murad"}
        for chat_id in life.chats:
            shown = (await life.person.get(f"/chats/{chat_id}/messages?after_seq=0")).json()["items"]
            mine = [item for item in files["messages.json"] if item["chat_id"] == chat_id]
            assert [(item["seq"], item["body"]) for item in mine] == [(item["seq"], item["body"]) for item in shown]
            whom = {item["from"] for item in mine if item["kind"] == "TEXT"}
            assert "you" in whom
            assert len(whom) == 2

    async def test_of_others_their_names_only_and_no_secret(self, life: Life, files: dict[str, Any], sql: Sql) -> None:
        text = json.dumps(files)
        for other in (life.buyer, life.seller):
            assert other.email not in text
            assert other.id not in json.dumps({**files, "notifications.json": []})
        hashed = await sql.value("SELECT password_hash FROM users WHERE id = $1", UUID(life.person.id))
        for secret in (hashed, life.person.refresh_token, life.person.access_token, "sealed"):
            assert secret not in text

    async def test_a_page_says_what_is_in_it(self, files: dict[str, Any]) -> None:
        text = files["README.txt"]
        for name in files:
            if name != "README.txt":
                assert name in text
        assert "messages.json (" in text

    async def test_what_staff_did_is_theirs_to_have_and_what_was_decided_of_whom_without_by_whom(
        self, people: People, run_jobs: RunJobs
    ) -> None:
        moderator, target = await people.moderator(), await people.new()
        # Why somebody is blocked is told to them as the statement of reasons; all else is for staff alone.
        for move, reason in (("block", "Sells copies"), ("unblock", "Aynur took her report back")):
            reply = await moderator.post(f"/admin/users/{target.id}/{move}", {"reason": reason})
            assert reply.status_code == 200, reply.text
        deeds = (await fetch(moderator, run_jobs))["staff_deeds.json"]
        assert [item["action"] for item in deeds] == ["user.unblock", "user.block"]
        assert [item["reason"] for item in deeds] == ["Aynur took her report back", "Sells copies"]
        back = await target.client.post(
            "/api/v1/auth/login", json={"email": target.email, "password": "a long enough passphrase"}
        )
        target.access_token = back.json()["access_token"]
        files = await fetch(target, run_jobs)
        assert [item["action"] for item in files["decisions.json"]] == ["user.unblock", "user.block"]
        assert "Aynur" not in json.dumps(files)
        assert moderator.id not in json.dumps(files)

    async def test_someone_new_gets_every_file(self, people: People, files: dict[str, Any], run_jobs: RunJobs) -> None:
        empty = await fetch(await people.new(), run_jobs)
        assert set(empty) == set(files)
        assert empty["messages.json"] == empty["listings.json"] == []


class TestAsking:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.get(f"/api/v1{EXPORT}")).status_code == 401

    async def test_asking_begins_one_and_tells_how_far_it_is(
        self, people: People, run_jobs: RunJobs, runtime: Runtime, client: httpx.AsyncClient
    ) -> None:
        person = await people.new()
        first = await person.get(EXPORT)
        assert first.status_code == 202
        body = first.json()
        requested = body.pop("requested_at")
        assert body == {"status": "PENDING", "url": None, "size": None, "expires_at": None}
        assert (await person.get(EXPORT)).json()["requested_at"] == requested
        await run_jobs()
        ready = (await person.get(EXPORT)).json()
        assert (ready["status"], ready["requested_at"]) == ("READY", requested)
        reply = await client.get(urlsplit(ready["url"]).path)
        assert len(reply.content) == ready["size"]
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        assert reply.headers["content-disposition"] == f'attachment; filename="memi-{day}.zip"'
        expires = datetime.fromisoformat(ready["expires_at"]) - datetime.now(UTC)
        assert abs(expires - timedelta(days=runtime.settings.export_days)) < timedelta(minutes=5)

    async def test_of_many_asking_at_once_one_begins(self, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        person = await people.new()
        replies = await asyncio.gather(*(person.get(EXPORT) for _ in range(10)))
        assert {reply.status_code for reply in replies} == {202}
        assert len({reply.json()["requested_at"] for reply in replies}) == 1
        assert await sql.value("SELECT count(*) FROM data_exports WHERE user_id = $1", UUID(person.id)) == 1
        jobs = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'privacy.exports.make_export'"
        assert await sql.value(jobs) == 1
        await run_jobs()

    async def test_one_connection_serves_many(self, people: People, run_jobs: RunJobs) -> None:
        """After five runs PostgreSQL may plan a statement without its parameters, which must still find its index."""
        replies = [await (await people.new()).get(EXPORT) for _ in range(12)]
        assert [reply.status_code for reply in replies] == [202] * 12
        await run_jobs()

    async def test_beginning_one_is_limited_and_asking_how_far_it_is_is_not(
        self, people: People, runtime: Runtime, sql: Sql
    ) -> None:
        person = await people.new()
        off = runtime.adapters.get(Limiter)
        runtime.adapters.set(Limiter, Limiter(runtime.settings.model_copy(update={"rate_limits": True})))
        try:
            for _ in range(3):
                for _ in range(3):
                    assert (await person.get(EXPORT)).status_code == 202
                await sql.execute("DELETE FROM data_exports WHERE user_id = $1", UUID(person.id))
            refused = await person.get(EXPORT)
        finally:
            runtime.adapters.set(Limiter, off)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) > 0
        assert await sql.value("SELECT count(*) FROM data_exports WHERE user_id = $1", UUID(person.id)) == 0

    async def test_a_mail_tells_when_it_is_ready_once(
        self, people: People, mailbox: Mailbox, runtime: Runtime, sql: Sql
    ) -> None:
        person = await people.new()
        before = len(await mailbox.of(person))
        await person.get(EXPORT)
        assert len(await mailbox.of(person)) == before + 1
        export_id = await sql.value("SELECT id FROM data_exports WHERE user_id = $1", UUID(person.id))
        await make_export.run(MakeExport(export_id), runtime)
        assert len(await mailbox.of(person)) == before + 1

    async def test_two_workers_that_make_the_same_one_leave_one_whole_file(
        self, people: People, runtime: Runtime, sql: Sql, client: httpx.AsyncClient, mailbox: Mailbox
    ) -> None:
        person = await people.new()
        before = len(await mailbox.of(person))
        await person.get(EXPORT)
        export_id = await sql.value("SELECT id FROM data_exports WHERE user_id = $1", UUID(person.id))
        await asyncio.gather(*(make_export.run(MakeExport(export_id), runtime) for _ in range(3)))
        assert len(await mailbox.of(person)) == before + 1
        ready = (await person.get(EXPORT)).json()
        files = open_zip((await client.get(urlsplit(ready["url"]).path)).content)
        assert files["account.json"]["id"] == person.id


class TestTheEnd:
    async def test_the_file_goes_when_its_days_are_over_and_one_can_ask_anew(
        self, people: People, run_jobs: RunJobs, runtime: Runtime, sql: Sql, client: httpx.AsyncClient
    ) -> None:
        person = await people.new()
        await fetch(person, run_jobs)
        url = urlsplit((await person.get(EXPORT)).json()["url"]).path
        await expire_exports.run(runtime)
        await run_jobs()
        assert (await client.get(url)).status_code == 200, "not before"
        await sql.execute("UPDATE data_exports SET expires_at = now() WHERE user_id = $1", UUID(person.id))
        assert (await person.get(EXPORT)).status_code == 202
        await expire_exports.run(runtime)
        await run_jobs()
        assert (await client.get(url)).status_code == 404
        statuses = await sql.rows(
            "SELECT status, object_key IS NULL AS gone FROM data_exports WHERE user_id = $1 ORDER BY id",
            UUID(person.id),
        )
        assert [tuple(row.values()) for row in statuses] == [("EXPIRED", True), ("READY", False)]

    async def test_it_goes_with_the_account_and_one_being_made_is_not_kept(
        self, people: People, run_jobs: RunJobs, runtime: Runtime, sql: Sql, client: httpx.AsyncClient
    ) -> None:
        ready, pending = await people.new(), await people.new()
        await fetch(ready, run_jobs)
        url = urlsplit((await ready.get(EXPORT)).json()["url"]).path
        await pending.get(EXPORT)
        row = (await sql.rows("SELECT id, object_key FROM data_exports WHERE user_id = $1", UUID(pending.id)))[0]
        for person in (ready, pending):
            assert (await person.delete("/users/me")).status_code == 204
        await run_jobs()
        assert (await client.get(url)).status_code == 404
        assert await store_of(runtime.adapters).size(row["object_key"]) is None
        assert await sql.value("SELECT status FROM data_exports WHERE id = $1", row["id"]) == "EXPIRED"

    async def test_one_whose_account_goes_while_it_is_made_leaves_no_file(
        self, people: People, runtime: Runtime, sql: Sql, run_jobs: RunJobs
    ) -> None:
        person = await people.new()
        await person.get(EXPORT)
        row = (await sql.rows("SELECT id, object_key FROM data_exports WHERE user_id = $1", UUID(person.id)))[0]
        store = store_of(runtime.adapters)

        async def leave(_session: object, _user_id: UUID, _after: object) -> Batch:
            assert (await person.delete("/users/me")).status_code == 204
            await run_jobs()
            return Batch([])

        leaving = PersonalData("test", (Kind("leaving", "Nothing.", leave),))
        runtime.adapters.set(PersonalDataRegistry, PersonalDataRegistry([leaving, *PERSONAL_DATA]))
        try:
            await make_export.run(MakeExport(row["id"]), runtime)
        finally:
            runtime.adapters.set(PersonalDataRegistry, PersonalDataRegistry(PERSONAL_DATA))
        assert await store.size(row["object_key"]) is not None, "it was written after the account went"
        await run_jobs()
        assert await store.size(row["object_key"]) is None

    async def test_what_was_left_lying_is_taken_up_again(
        self, people: People, runtime: Runtime, sql: Sql, run_jobs: RunJobs
    ) -> None:
        person = await people.new()
        await person.get(EXPORT)
        await sql.execute("DELETE FROM pgqueuer WHERE entrypoint = 'privacy.exports.make_export'")
        await sql.execute(
            "UPDATE data_exports SET created_at = now() - interval '2 hours' WHERE user_id = $1", UUID(person.id)
        )
        await run_jobs()
        assert (await person.get(EXPORT)).status_code == 202
        await expire_exports.run(runtime)
        await run_jobs()
        assert (await person.get(EXPORT)).status_code == 200


class TestMuch:
    MESSAGES = 100_000

    @pytest.fixture
    async def talker(self, people: People, sql: Sql) -> Person:
        """Someone with a very long chat, and many short ones."""
        person, other = await people.new("Talker"), await people.new("Listener")
        await sql.execute("ALTER TABLE messages DISABLE TRIGGER USER")
        await sql.execute("ALTER TABLE chats DISABLE TRIGGER USER")
        await sql.execute(
            """
            WITH item AS (
                INSERT INTO listings (id, seller_id, title, currency)
                SELECT gen_random_uuid(), $2, 'Thing ' || n, 'AZN' FROM generate_series(1, 60) n RETURNING id
            ), chat AS (
                INSERT INTO chats (id, listing_id, buyer_id, seller_id, last_seq)
                SELECT gen_random_uuid(), id, $1, $2, CASE WHEN row_number() OVER () = 7 THEN $3 ELSE 3 END FROM item
                RETURNING id, last_seq
            )
            INSERT INTO messages (id, chat_id, seq, sender_id, kind, body)
            SELECT gen_random_uuid(), chat.id, seq, $1, 'TEXT', repeat('word ', 40) || seq
            FROM chat CROSS JOIN LATERAL generate_series(1, chat.last_seq) seq
            """,
            UUID(person.id),
            UUID(other.id),
            self.MESSAGES,
        )
        await sql.execute("ALTER TABLE messages ENABLE TRIGGER USER")
        await sql.execute("ALTER TABLE chats ENABLE TRIGGER USER")
        await sql.execute("ANALYZE messages, chats")
        return person

    async def test_a_hundred_thousand_messages_take_no_memory_and_none_is_missing(
        self, talker: Person, runtime: Runtime, sql: Sql
    ) -> None:
        await talker.get(EXPORT)
        row = (await sql.rows("SELECT id, object_key FROM data_exports WHERE user_id = $1", UUID(talker.id)))[0]
        tracemalloc.start()
        try:
            await make_export.run(MakeExport(row["id"]), runtime)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 12_000_000, f"{peak:,} bytes"
        async with store_of(runtime.adapters).local_copy(row["object_key"]) as path:
            with zipfile.ZipFile(path) as archive:
                seen = list(_seqs(archive))
                assert archive.getinfo("messages.json").file_size > 2 * peak
        assert len(seen) == self.MESSAGES + 59 * 3
        assert len(set(seen)) == len(seen)
        assert seen == sorted(seen)


def _seqs(archive: zipfile.ZipFile) -> Iterator[tuple[str, int]]:
    with archive.open("messages.json") as file:
        for line in file:
            text = line.decode().strip().rstrip(",")
            if text not in ("[", "]"):
                record = json.loads(text)
                yield record["chat_id"], record["seq"]
