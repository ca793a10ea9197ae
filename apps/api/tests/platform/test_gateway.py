"""What every request and reply goes through."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import brotli
import httpx
import pytest

from memi.platform.gateway import Gateway
from memi.platform.runtime import Runtime
from memi.platform.settings import Environment, Settings
from support.probe_app import TABLES, Switchboard, build, client_of
from support.sql import Sql

SECURITY_HEADERS = (
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-resource-policy",
    "content-security-policy",
    "cache-control",
    "x-request-id",
)


@pytest.fixture(scope="module", autouse=True)
async def tables(sql: Sql) -> None:
    await sql.execute(TABLES)


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
def gateway(runtime: Runtime, settings: Settings, board: Switchboard) -> Gateway:
    return build(runtime, settings.model_copy(update={"request_seconds": 0.8}), board)


@pytest.fixture
async def probe(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(gateway) as opened:
        yield opened


async def notes(sql: Sql, name: str) -> int:
    return await sql.value("SELECT count(*) FROM probe_notes WHERE name = $1", name)


class TestRequestId:
    async def test_a_safe_one_is_kept_and_named_in_problems(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.get("/nothing-here", headers={"X-Request-ID": "trace-1.a_B"})
        assert reply.headers["x-request-id"] == "trace-1.a_B"
        assert reply.json()["request_id"] == "trace-1.a_B"

    @pytest.mark.parametrize("given", ["", "a" * 65, "with space", "new\tline", "<script>"])
    async def test_any_other_is_replaced(self, probe: httpx.AsyncClient, given: str) -> None:
        reply = await probe.get("/small", headers={"X-Request-ID": given})
        made = reply.headers["x-request-id"]
        assert made != given
        assert len(made) == 32

    async def test_each_request_gets_its_own(self, probe: httpx.AsyncClient) -> None:
        replies = [await probe.get("/small") for _ in range(3)]
        assert len({reply.headers["x-request-id"] for reply in replies}) == 3


class TestProblems:
    async def test_unknown_path(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.get("/nothing-here")
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"
        body = reply.json()
        assert set(body) == {"type", "title", "status", "detail", "instance", "code", "request_id"}
        assert (body["code"], body["status"], body["instance"]) == ("not_found", 404, "/nothing-here")
        assert body["type"] == "/docs/errors#not_found"

    async def test_wrong_method_names_the_right_ones(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.delete("/small")
        assert (reply.status_code, reply.json()["code"]) == (405, "method_not_allowed")
        assert {"GET", "HEAD", "OPTIONS"} <= {part.strip() for part in reply.headers["allow"].split(",")}

    @pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"text": NaN}', b'{"text": "a"} {}', b'{"text": 01}'])
    async def test_what_is_not_json(self, probe: httpx.AsyncClient, body: bytes) -> None:
        reply = await probe.post("/notes", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code in (400, 422)
        assert reply.json()["code"] == ("malformed_json" if body else "validation_failed")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
    async def test_another_media_type(self, probe: httpx.AsyncClient, kind: str) -> None:
        reply = await probe.post("/notes", content=b'{"text": "a"}', headers={"Content-Type": kind})
        assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")

    async def test_ten_megabytes_of_garbage(self, probe: httpx.AsyncClient, sql: Sql) -> None:
        reply = await probe.post("/notes", content=b"x" * 10_000_000, headers={"Content-Type": "application/json"})
        assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")

    async def test_ten_megabytes_that_come_in_parts(self, probe: httpx.AsyncClient) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(160):
                yield b"x" * 65_536

        reply = await probe.post("/notes", content=parts(), headers={"Content-Type": "application/json"})
        assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")

    async def test_nested_too_deeply(self, probe: httpx.AsyncClient, settings: Settings) -> None:
        inner = settings.max_json_depth - 1
        at_limit = '{"text": "a", "extra": ' + "[" * inner + "]" * inner + "}"
        over = '{"text": "a", "extra": [' + "[" * inner + "]" * inner + "]}"
        very_deep = '{"text": "a", "extra": ' + "[" * 100_000 + "]" * 100_000 + "}"
        in_text = json.dumps({"text": "[" * 50 + '\\"' + "{" * 50})
        headers = {"Content-Type": "application/json"}
        assert (await probe.post("/notes", content=at_limit, headers=headers)).status_code == 200
        assert (await probe.post("/notes", content=in_text, headers=headers)).status_code == 200
        for body in (over, very_deep):
            reply = await probe.post("/notes", content=body, headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (400, "json_too_deep")

    async def test_numbers_too_long(self, probe: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        for number in ("9" * 21, "-" + "9" * 5000, "0." + "1" * 400, "1e" + "9" * 30):
            reply = await probe.post("/notes", content=f'{{"text": "a", "extra": {number}}}', headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (400, "number_too_long"), number
        fine = await probe.post("/notes", json={"text": "9" * 100, "extra": 12345678901234567890})
        assert fine.status_code == 200

    async def test_nul_in_a_text(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.post("/notes", json={"text": "a\0b", "extra": [{"deep": "\0"}]})
        assert reply.status_code == 422
        assert {item["pointer"] for item in reply.json()["errors"]} == {"/text", "/extra/0/deep"}

    async def test_unknown_query_parameters(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.get("/small?b=1&a=2")
        assert reply.status_code == 422
        assert [item["pointer"] for item in reply.json()["errors"]] == ["/a", "/b"]

    @pytest.mark.parametrize("path", ["/broken", "/broken-sql"])
    async def test_what_goes_wrong_inside_is_not_told(self, probe: httpx.AsyncClient, path: str) -> None:
        reply = await probe.get(path)
        assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
        assert "hunter2" not in reply.text
        assert "Traceback" not in reply.text
        assert "SELECT" not in reply.text

    async def test_who_is_not_signed_in_hears_that_before_anything_else(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.get("/mine?unknown=1")
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert reply.headers["www-authenticate"] == "Bearer"


class TestHeaders:
    @pytest.mark.parametrize("path", ["/small", "/nothing-here", "/broken", "/mine", "/unchanged", "/large"])
    async def test_security_headers_are_on_every_reply(self, probe: httpx.AsyncClient, path: str) -> None:
        reply = await probe.get(path)
        for name in SECURITY_HEADERS:
            assert name in reply.headers, name
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]

    async def test_nothing_is_cached_unless_said(self, probe: httpx.AsyncClient) -> None:
        assert (await probe.get("/small")).headers["cache-control"] == "private, no-store"
        assert (await probe.get("/cached")).headers["cache-control"] == "public, max-age=60"
        assert (await probe.get("/nothing-here")).headers["cache-control"] == "private, no-store"

    async def test_not_modified_keeps_its_headers(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.get("/unchanged", headers={"Accept-Encoding": "br"})
        assert reply.status_code == 304
        assert reply.content == b""
        assert (reply.headers["etag"], reply.headers["cache-control"]) == ('"1"', "public, max-age=60")

    async def test_production_asks_for_https(self, runtime: Runtime, settings: Settings, board: Switchboard) -> None:
        strict = settings.model_copy(update={"env": Environment.PRODUCTION})
        async with client_of(build(runtime, strict, board)) as client:
            assert "max-age=" in (await client.get("/small")).headers["strict-transport-security"]

    async def test_head_is_get_without_its_body(self, probe: httpx.AsyncClient) -> None:
        got = await probe.get("/small")
        head = await probe.head("/small")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert (await probe.head("/nothing-here")).status_code == 404

    @pytest.mark.parametrize("has", ['"1"', 'W/"1"', '"0", "1"', "*"])
    async def test_what_the_caller_has_already_is_not_sent_again(self, probe: httpx.AsyncClient, has: str) -> None:
        for method in ("GET", "HEAD"):
            reply = await probe.request(method, "/cached", headers={"If-None-Match": has})
            assert (reply.status_code, reply.content) == (304, b"")
            assert reply.headers["etag"] == '"1"'
            assert reply.headers["cache-control"] == "public, max-age=60"
            assert "content-length" not in reply.headers
        assert (await probe.get("/cached", headers={"If-None-Match": '"2"'})).json() == {"text": "memi"}
        assert (await probe.get("/small", headers={"If-None-Match": "*"})).status_code == 200

    async def test_options_lists_methods(self, probe: httpx.AsyncClient) -> None:
        reply = await probe.options("/small")
        assert reply.status_code == 204
        assert "GET" in reply.headers["allow"]

    async def test_a_preflight_of_an_allowed_origin(self, probe: httpx.AsyncClient) -> None:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        ours = await probe.options("/notes", headers={"Origin": "https://memi.az", **asked})
        assert ours.headers["access-control-allow-origin"] == "https://memi.az"
        assert ours.status_code == 204
        assert "POST" in ours.headers["access-control-allow-methods"]
        assert "Content-Type" in ours.headers["access-control-allow-headers"]
        other = await probe.options("/notes", headers={"Origin": "https://evil.example", **asked})
        assert "access-control-allow-origin" not in other.headers

    @pytest.mark.parametrize("stranger", ["https://memi.az.evil.example", "https://memixaz", "http://memi.az", "null"])
    async def test_a_page_of_another_origin_may_read_nothing(self, probe: httpx.AsyncClient, stranger: str) -> None:
        reply = await probe.get("/small", headers={"Origin": stranger})
        assert reply.status_code == 200
        assert not [name for name in reply.headers if name.startswith("access-control-")]

    @pytest.mark.parametrize("origin", [None, "https://memi.az", "https://evil.example"])
    async def test_caches_keep_replies_to_origins_and_what_else_they_vary_by_apart(
        self, probe: httpx.AsyncClient, origin: str | None
    ) -> None:
        reply = await probe.get("/cached", headers={} if origin is None else {"Origin": origin})
        varies = {part.strip() for line in reply.headers.get_list("vary") for part in line.split(",")}
        assert varies == {"Accept-Language", "Origin"}

    @pytest.mark.parametrize(("path", "status"), [("/doomed", 500), ("/slow", 503)])
    async def test_what_fails_outside_of_the_routes_is_readable_to_the_browser(
        self, probe: httpx.AsyncClient, path: str, status: int
    ) -> None:
        reply = await probe.post(path, json={"text": "cors"}, headers={"Origin": "https://memi.az"})
        assert reply.status_code == status
        assert reply.headers["access-control-allow-origin"] == "https://memi.az"

    async def test_a_browser_is_signed_in_or_out_by_nothing_that_was_not_committed(
        self, probe: httpx.AsyncClient, sql: Sql
    ) -> None:
        reply = await probe.post("/doomed", json={"text": "cookie"})
        assert (reply.status_code, await notes(sql, "cookie")) == (500, 0)
        assert "set-cookie" not in reply.headers


class TestCompression:
    async def raw(self, probe: httpx.AsyncClient, path: str, accepts: str) -> tuple[httpx.Response, bytes]:
        async with probe.stream("GET", path, headers={"Accept-Encoding": accepts}) as reply:
            return reply, b"".join([part async for part in reply.aiter_raw()])

    async def test_large_json_is_packed_as_the_client_likes(self, probe: httpx.AsyncClient) -> None:
        plain, body = await self.raw(probe, "/large", "identity")
        assert "content-encoding" not in plain.headers
        for accepts, coding, unpack in (
            ("br, gzip", "br", brotli.decompress),
            ("gzip", "gzip", gzip.decompress),
            ("br;q=0, gzip;q=0.5", "gzip", gzip.decompress),
            ("br;q=0.1", "br", brotli.decompress),
        ):
            reply, packed = await self.raw(probe, "/large", accepts)
            assert reply.headers["content-encoding"] == coding
            assert int(reply.headers["content-length"]) == len(packed) < len(body)
            assert unpack(packed) == body
            assert "Accept-Encoding" in reply.headers["vary"]

    async def test_vary_is_said_even_when_not_packed(self, probe: httpx.AsyncClient) -> None:
        assert "Accept-Encoding" in (await self.raw(probe, "/large", ""))[0].headers["vary"]

    @pytest.mark.parametrize("path", ["/small", "/page"])
    async def test_small_replies_and_other_kinds_are_left(self, probe: httpx.AsyncClient, path: str) -> None:
        assert "content-encoding" not in (await self.raw(probe, path, "br, gzip"))[0].headers


class TestUnitOfWork:
    async def test_success_is_committed_before_the_reply(self, probe: httpx.AsyncClient, sql: Sql) -> None:
        assert (await probe.post("/notes", json={"text": "kept"})).status_code == 200
        assert await notes(sql, "kept") == 1

    async def test_a_refusal_leaves_nothing(self, probe: httpx.AsyncClient, sql: Sql) -> None:
        assert (await probe.post("/refused", json={"text": "refused"})).status_code == 409
        assert await notes(sql, "refused") == 0

    async def test_a_commit_that_fails_is_not_reported_as_success(self, probe: httpx.AsyncClient, sql: Sql) -> None:
        reply = await probe.post("/doomed", json={"text": "doomed"})
        assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
        assert reply.headers["content-type"] == "application/problem+json"
        assert await notes(sql, "doomed") == 0

    async def test_a_deadlock_is_run_again_with_the_same_body(
        self, settings: Settings, sql: Sql, board: Switchboard, runtime: Runtime
    ) -> None:
        """The database gives up the request, because it has waited longest when the cycle closes."""
        board.go_on.set()
        async with client_of(build(runtime, settings, board)) as probe, runtime.database.engine.connect() as rival:
            await rival.exec_driver_sql("SELECT FROM probe_locks WHERE id = 1 FOR UPDATE")
            request = asyncio.create_task(probe.post("/conflicting", json={"text": "again"}))
            await board.reached.wait()
            await asyncio.sleep(0.2)
            await rival.exec_driver_sql("SELECT FROM probe_locks WHERE id = 2 FOR UPDATE")
            await rival.rollback()
            reply = await request
        assert reply.status_code == 200, reply.text
        assert board.bodies == ["again", "again"]
        assert await notes(sql, "again") == 1

    async def test_a_conflict_that_stays_is_given_up_after_three_more_tries(
        self, probe: httpx.AsyncClient, sql: Sql, board: Switchboard
    ) -> None:
        reply = await probe.post("/hopeless", json={"text": "hopeless"})
        assert (reply.status_code, reply.json()["code"]) == (503, "service_busy")
        assert reply.headers["retry-after"] == "1"
        assert board.attempts == 4
        assert board.bodies == ["hopeless"] * 4
        assert await notes(sql, "hopeless") == 0

    async def test_a_request_that_takes_too_long_is_undone(self, probe: httpx.AsyncClient, sql: Sql) -> None:
        replies = await asyncio.gather(*(probe.post("/slow", json={"text": "slow"}) for _ in range(12)))
        assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(503, "request_timed_out")}
        assert await notes(sql, "slow") == 0
        assert (await probe.get("/pool")).json() == {"checked_out": 0}
        async with asyncio.timeout(5):
            while await sql.value("SELECT count(*) FROM pg_locks WHERE relation = 'probe_notes'::regclass"):
                await asyncio.sleep(0.05)

    async def test_the_time_limit_never_cuts_a_commit_in_two(self, probe: httpx.AsyncClient, sql: Sql) -> None:
        reply = await probe.post("/slow-commit", json={"text": "late but true"})
        assert reply.status_code == 200
        assert await sql.value("SELECT count(*) FROM probe_slow") == 1

    async def test_a_client_that_leaves_in_the_middle_changes_nothing(self, gateway: Gateway, sql: Sql) -> None:
        incoming: list[dict[str, Any]] = [
            {"type": "http.request", "body": b'{"text": "gone"', "more_body": True},
            {"type": "http.disconnect"},
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = {
            "type": "http",
            "method": "POST",
            "path": "/notes",
            "raw_path": b"/notes",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "server": ("test", 80),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
        }
        await gateway(scope, receive, send)
        assert sent[0]["status"] == 400
        assert await notes(sql, "gone") == 0


async def test_a_made_up_method_makes_no_metric_of_its_own(client: httpx.AsyncClient) -> None:
    reply = await client.request("BREW", "/api/v1/listings")
    assert reply.status_code == 405
    exposed = (await client.get("/metrics")).text
    assert 'method="other"' in exposed
    assert "BREW" not in exposed
