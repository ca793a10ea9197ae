"""Tables as CSV: who may take them, what is in them, and what one of any size costs."""

import asyncio
import csv
import io
import json
import tracemalloc
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.pool import QueuePool

from memi import wiring
from memi.admin import csv_cells, exports
from memi.app import create_litestar
from memi.platform.gateway import Gateway
from memi.platform.limits import Limiter
from memi.platform.runtime import Runtime
from memi.platform.streaming_queries import rows_of
from memi.users import export_queries
from support.cases import Cases
from support.factors import grow_old
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql
from support.talks import Talks

KINDS = ["users", "listings", "audit", "reports"]


async def table(admin: Person, kind: str, query: str = "") -> list[dict[str, str]]:
    reply = await admin.get(f"/admin/export/{kind}.csv{query}")
    assert reply.status_code == 200, reply.text
    return list(csv.DictReader(io.StringIO(reply.text)))


@pytest.mark.parametrize("kind", KINDS)
class TestWhoMay:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql, kind: str) -> None:
        path = f"/admin/export/{kind}.csv"
        assert (await client.get(f"/api/v1{path}")).status_code == 401
        for person in (await people.new(), await people.moderator()):
            reply = await person.get(path)
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await sql.value("SELECT count(*) FROM audit_log WHERE action = $1", f"export.{kind}") == 0

    async def test_with_a_recent_proof(self, people: People, sql: Sql, kind: str) -> None:
        admin = await people.admin()
        await grow_old(sql, admin)
        reply = await admin.get(f"/admin/export/{kind}.csv")
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")

    async def test_the_log_says_who_has_it(self, people: People, sql: Sql, kind: str) -> None:
        admin = await people.admin()
        reply = await admin.get(f"/admin/export/{kind}.csv")
        assert reply.headers["content-type"] == "text/csv; charset=utf-8"
        assert reply.headers["content-disposition"].startswith(f'attachment; filename="memi-{kind}-')
        assert reply.headers["cache-control"] == "private, no-store"
        query = "SELECT action FROM audit_log WHERE actor_id = $1"
        assert [row["action"] for row in await sql.rows(query, UUID(admin.id))] == [f"export.{kind}"]

    @pytest.mark.parametrize("query", ["since=yesterday", "since=2026-01-01", "limit=5", "since=&until="])
    async def test_bad_queries(self, people: People, kind: str, query: str) -> None:
        assert (await (await people.admin()).get(f"/admin/export/{kind}.csv?{query}")).status_code == 422


class TestWhatIsInThem:
    async def test_people_without_what_proves_who_they_are(self, people: People, sql: Sql) -> None:
        admin, person = await people.admin(), await people.new("Gülnarə")
        await make_listing(person, sql)
        rows = {row["id"]: row for row in await table(admin, "users")}
        assert len(rows) == await sql.value("SELECT count(*) FROM users")
        row = rows[person.id]
        assert (row["email"], row["name"], row["active_listings"]) == (person.email, "Gülnarə", "1")
        assert (row["roles"], row["is_blocked"], row["deleted_at"]) == ("USER SELLER", "false", "")
        assert row["created_at"].endswith("Z")
        hashed = await sql.value("SELECT password_hash FROM users WHERE id = $1", UUID(person.id))
        text = (await admin.get("/admin/export/users.csv")).text
        assert hashed not in text
        assert "$argon2" not in text
        assert not {"password_hash", "epoch"} & set(row)

    async def test_listings(self, people: People, sql: Sql) -> None:
        admin, seller = await people.admin(), await people.new()
        listing = await make_listing(seller, sql, title='A "warm", coat; really')
        await seller.delete(f"/listings/{listing['id']}")
        row = {row["id"]: row for row in await table(admin, "listings")}[listing["id"]]
        assert (row["title"], row["status"], row["price_amount"]) == ('A "warm", coat; really', "DELETED", "4500")
        assert (row["category"], row["seller_id"]) == (listing["category"]["slug"], seller.id)

    async def test_the_audit_log(self, people: People) -> None:
        admin, person = await people.admin(), await people.new()
        await admin.post(f"/admin/users/{person.id}/block", {"reason": "=cmd|'/c calc'!A1"})
        row = next(row for row in await table(admin, "audit") if row["target_id"] == person.id)
        assert (row["action"], row["reason"]) == ("user.block", "'=cmd|'/c calc'!A1")
        assert [json.loads(row[when])["is_blocked"] for when in ("before", "after")] == [False, True]

    async def test_reports(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        cases = Cases(people, Talks(people, sql), sql)
        case = await cases.new("LISTING")
        await case.decided(await people.moderator(), "REMOVE_LISTING")
        row = {row["id"]: row for row in await table(admin, "reports")}[case.id]
        assert (row["target_id"], row["status"], row["action"]) == (case.target, "RESOLVED", "REMOVE_LISTING")
        assert "snapshot" not in row

    async def test_only_of_the_time_asked_for(self, people: People, sql: Sql) -> None:
        admin, old, new = await people.admin(), await people.new(), await people.new()
        await sql.execute("UPDATE users SET created_at = '2020-05-01T00:00:00Z' WHERE id = $1", UUID(old.id))
        before = await table(admin, "users", "?since=2020-05-01T00:00:00Z&until=2020-05-01T00:00:01Z")
        assert [row["id"] for row in before] == [old.id]
        assert await table(admin, "users", "?until=2020-05-01T00:00:00Z") == []
        since = {row["id"] for row in await table(admin, "users", "?since=2020-05-01T00:00:01Z")}
        assert new.id in since
        assert old.id not in since


class TestCells:
    @pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t=", "\r", "\n", " =", "＝", "  @", "+994501112233"])
    def test_what_would_be_run_is_shown(self, begins: str) -> None:
        assert csv_cells.cell(f"{begins}1+1") == f"'{begins}1+1"
        assert csv_cells.cell([f"{begins}1"]) == f"'{begins}1"

    @pytest.mark.parametrize(
        ("value", "text"),
        [(None, ""), (True, "true"), (-5, "-5"), ("a=b", "a=b"), ("Ayşə", "Ayşə"), (["A", "B"], "A B"), ({}, "{}")],
    )
    def test_the_rest_is_as_it_is(self, value: object, text: str) -> None:
        assert csv_cells.cell(value) == text

    def test_lines_are_read_back_as_they_were(self) -> None:
        rows = [["a", 'b"c', "d\ne", "f,g;h"], ["", "ə", "x" * 10_000, "\\"]]
        assert list(csv.reader(io.StringIO(csv_cells.lines(rows).decode(), newline=""))) == rows


@pytest.fixture
async def crowd(sql: Sql) -> int:
    """Sixty thousand accounts."""
    await sql.execute(
        "INSERT INTO users (id, email, name, bio) SELECT id, id || '@crowd.example', 'Leyla', repeat('x', 900)"
        " FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 60000)) AS made ON CONFLICT DO NOTHING"
    )
    return await sql.value("SELECT count(*) FROM users")


class TestSize:
    async def test_memory_stays_what_it_is(self, runtime: Runtime, crowd: int) -> None:
        seen = 0
        async with runtime.unit_of_work() as session:
            tracemalloc.start()
            try:
                rows = rows_of(
                    session, export_queries.accounts(None, None), most=exports.MOST_ROWS, batch=exports.BATCH
                )
                async for part in rows:
                    seen += len(part)
                    assert len(part) <= exports.BATCH
                    csv_cells.lines(part)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert seen == crowd
        assert peak < 8_000_000  # all of it would be sixty

    async def test_too_many_are_refused_before_anything_is_sent(
        self, people: People, sql: Sql, crowd: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exports, "MOST_ROWS", crowd)
        admin = await people.admin()  # one more
        reply = await admin.get("/admin/export/users.csv")
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, "too_many")
        assert await sql.value("SELECT count(*) FROM audit_log WHERE actor_id = $1", UUID(admin.id)) == 0
        assert len(await table(admin, "users", "?since=2020-01-02T00:00:00Z&until=2020-01-03T00:00:00Z")) == 0

    async def test_who_leaves_in_the_middle_holds_nothing(self, people: People, runtime: Runtime, crowd: int) -> None:
        admin = await people.admin()
        pool = runtime.database.engine.pool
        assert isinstance(pool, QueuePool)
        before = pool.checkedout()
        first = asyncio.Event()
        started = asyncio.Event()

        async def receive() -> dict[str, object]:
            if not started.is_set():
                started.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            await first.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.body" and message.get("body"):
                first.set()
                await asyncio.sleep(0.05)  # a slow reader

        application = create_litestar(runtime.settings, lambda: wiring.already_open(runtime))
        application.state.runtime = runtime
        app = Gateway(application, runtime.settings)  # pyright: ignore[reportArgumentType]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/v1/admin/export/users.csv",
            "raw_path": b"/api/v1/admin/export/users.csv",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"test"), (b"authorization", f"Bearer {admin.access_token}".encode())],
            "client": ("127.0.0.1", 123),
            "server": ("test", 80),
            "extensions": {},
        }
        async with asyncio.timeout(20):
            await app(scope, receive, send)  # pyright: ignore[reportArgumentType]
        assert first.is_set()
        assert not any(session.in_transaction() for session in exports.running)
        assert pool.checkedout() == before

    async def test_two_at_once_in_a_process(self, people: People, sql: Sql, runtime: Runtime) -> None:
        admin = await people.admin()
        async with runtime.unit_of_work() as one, runtime.unit_of_work() as other:
            for session in (one, other):
                await session.connection()
                exports.running.add(session)
            reply = await admin.get("/admin/export/users.csv")
            assert (reply.status_code, reply.json()["code"]) == (503, "service_busy")
            assert reply.headers["retry-after"] == "30"
        assert await sql.value("SELECT count(*) FROM audit_log WHERE actor_id = $1", UUID(admin.id)) == 0
        assert len(await table(admin, "reports", "?until=2020-01-01T00:00:00Z")) == 0


async def test_calls_are_counted(people: People, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await people.admin()
    monkeypatch.setattr(runtime.adapters.get(Limiter), "on", True)
    path = f"/admin/export/reports.csv?until=2020-01-01T00:00:00Z&since={2000 + uuid4().int % 19}-01-01T00:00:00Z"
    codes = [(await admin.get(path)).status_code for _ in range(21)]
    assert codes == [200] * 20 + [429]
