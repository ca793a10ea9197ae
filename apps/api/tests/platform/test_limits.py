"""How often one may call what, and what one hears of it."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from litestar import Litestar, post
from prometheus_client import REGISTRY

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.gateway import Gateway
from memi.platform.limits import POLICIES, Limit, Limiter, RateLimited, count, limited
from memi.platform.problems import handle_exception
from memi.platform.settings import Environment, Settings
from support.limits import LimitedApi, limited_api, told
from support.people import PASSWORD

CALLS = {limit: policy.address.item.amount for limit, policy in POLICIES.items()}


@pytest.fixture
async def api(settings: Settings, database_urls: EmbeddedUrls) -> AsyncIterator[LimitedApi]:
    """Fresh counters for each test. `10.0.0.0/8` are its proxies."""
    proxies = Settings(_env_file=None, trusted_proxies="10.0.0.0/8").trusted_proxies  # pyright: ignore[reportArgumentType]
    origins = ("https://memi.example",)
    async with limited_api(settings, database_urls.app, trusted_proxies=proxies, web_origins=origins) as opened:
        yield opened


async def log_in(client: httpx.AsyncClient, **options: object) -> httpx.Response:
    """Counted before its body is read, so that an empty one does."""
    return await client.post("/auth/login", json={}, **options)  # pyright: ignore[reportArgumentType]


async def token_of(client: httpx.AsyncClient) -> dict[str, str]:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "Sevda"}
    reply = await client.post("/auth/register", json=body)
    assert reply.status_code == 201, reply.text
    return {"Authorization": f"Bearer {reply.json()['access_token']}"}


class TestByAddress:
    async def test_one_too_many_is_refused_and_told_when_to_come_back(self, api: LimitedApi) -> None:
        async with api.client() as client:
            for _ in range(CALLS[Limit.LOGIN]):
                assert (await log_in(client)).status_code == 422
            before = REGISTRY.get_sample_value("memi_rate_limited_total", {"limit": "login.address"}) or 0
            reply = await log_in(client)
        assert (reply.status_code, reply.json()["code"]) == (429, "rate_limited")
        assert reply.headers["content-type"] == "application/problem+json"
        wait = int(reply.headers["retry-after"])
        assert 0 < wait <= 600
        assert reply.json()["retry_after"] == wait
        assert told(reply) == {"login.address": {"r": 0, "t": wait}}
        assert REGISTRY.get_sample_value("memi_rate_limited_total", {"limit": "login.address"}) == before + 1

    async def test_calls_at_once_are_each_counted(self, api: LimitedApi) -> None:
        async with api.client() as client:
            replies = await asyncio.gather(*[log_in(client) for _ in range(CALLS[Limit.LOGIN] + 40)])
        assert Counter(reply.status_code for reply in replies) == {422: CALLS[Limit.LOGIN], 429: 40}

    async def test_others_and_other_limits_are_not_concerned(self, api: LimitedApi) -> None:
        async with api.client() as one, api.client("203.0.113.8") as other:
            for _ in range(CALLS[Limit.LOGIN] + 1):
                await log_in(one)
            assert (await log_in(one)).status_code == 429
            assert (await one.post("/auth/refresh", json={})).status_code == 401
            assert (await one.get("/listings")).status_code == 200
            assert (await log_in(other)).status_code == 422

    async def test_an_ipv6_network_is_one_address(self, api: LimitedApi) -> None:
        async with api.client("2001:db8:1:2::1") as one:
            for _ in range(CALLS[Limit.LOGIN]):
                await log_in(one)
        async with api.client("2001:db8:1:2:ffff::9") as neighbour, api.client("2001:db8:1:3::1") as stranger:
            assert (await log_in(neighbour)).status_code == 429
            assert (await log_in(stranger)).status_code == 422

    async def test_a_header_of_the_client_s_own_does_not_make_another_of_it(self, api: LimitedApi) -> None:
        async with api.client() as client:
            replies = [
                await log_in(client, headers={"X-Forwarded-For": f"198.51.100.{number}"})
                for number in range(CALLS[Limit.LOGIN] + 1)
            ]
        assert replies[-1].status_code == 429

    async def test_clients_behind_a_trusted_proxy_are_told_apart(self, api: LimitedApi) -> None:
        async with api.client("10.0.0.1") as proxy:
            for number in range(CALLS[Limit.LOGIN] + 1):
                spoofed = {"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.1"}
                last = await log_in(proxy, headers=spoofed)
            assert last.status_code == 429
            assert (await log_in(proxy, headers={"X-Forwarded-For": "198.51.100.2"})).status_code == 422


class TestByAccount:
    async def test_it_is_counted_wherever_it_calls_from(self, api: LimitedApi) -> None:
        async with api.client() as client:
            mine, theirs = await token_of(client), await token_of(client)
        policy = POLICIES[Limit.UPLOAD].account
        assert policy is not None
        for number in range(policy.item.amount):
            async with api.client(f"198.51.100.{number % 200}") as somewhere:
                assert (await somewhere.post("/uploads", json={}, headers=mine)).status_code == 422
        async with api.client("192.0.2.1") as elsewhere:
            refused = await elsewhere.post("/uploads", json={}, headers=mine)
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert told(refused)["upload.account"]["r"] == 0
            assert told(refused)["upload.address"]["r"] > 0
            assert (await elsewhere.post("/uploads", json={}, headers=theirs)).status_code == 422

    async def test_who_is_not_signed_in_hears_that(self, api: LimitedApi) -> None:
        async with api.client() as client:
            assert (await client.post("/uploads", json={})).status_code == 401
            bad = await client.post("/uploads", json={}, headers={"Authorization": "Bearer x.y.z"})
            assert bad.status_code == 401

    async def test_a_named_account_is_counted_by_what_names_it(self, api: LimitedApi) -> None:
        for _ in range(5):
            await count(api.runtime, Limit.PASSWORD_RESET, account="a keyed hash")
        with pytest.raises(RateLimited):
            await count(api.runtime, Limit.PASSWORD_RESET, account="a keyed hash", address="203.0.113.7")
        await count(api.runtime, Limit.PASSWORD_RESET, account="another", address="203.0.113.7")


class TestWhatIsTold:
    async def test_allowed_replies_say_what_remains(self, api: LimitedApi) -> None:
        async with api.client() as client:
            headers = await token_of(client)
            replies = [await client.post("/uploads", json={}, headers=headers) for _ in range(3)]
        assert [told(reply)["upload.account"]["r"] for reply in replies] == [159, 158, 157]
        assert [told(reply)["upload.address"]["r"] for reply in replies] == [1599, 1598, 1597]
        assert told(replies[0], "ratelimit-policy") == {
            "upload.address": {"q": 1600, "w": 600},
            "upload.account": {"q": 160, "w": 600},
        }
        assert all(0 < told(reply)["upload.account"]["t"] <= 600 for reply in replies)

    async def test_front_ends_of_other_origins_may_read_it(self, api: LimitedApi) -> None:
        async with api.client() as client:
            reply = await log_in(client, headers={"Origin": "https://memi.example"})
        exposed = reply.headers["access-control-expose-headers"].lower().replace(" ", "").split(",")
        assert {"ratelimit", "ratelimit-policy", "retry-after"} <= set(exposed)

    async def test_nothing_where_nothing_is_limited(self, api: LimitedApi, client: httpx.AsyncClient) -> None:
        async with api.client() as limited_client:
            assert "ratelimit" not in (await limited_client.get("/listings")).headers
        off = await client.post("/api/v1/auth/login", json={})
        assert "ratelimit" not in off.headers
        assert "ratelimit-policy" not in off.headers


class TestSearching:
    async def test_words_pages_by_number_and_totals_are_counted_and_browsing_is_not(self, api: LimitedApi) -> None:
        async with api.client() as client:
            for path in ("/listings", "/listings?category=women-clothes", "/listings?sort=newest&limit=3"):
                reply = await client.get(path)
                assert reply.status_code == 200
                assert "ratelimit" not in reply.headers
            seller = f"/users/{(await client.get('/users/me', headers=await token_of(client))).json()['id']}/listings"
            assert "ratelimit" not in (await client.get(seller)).headers
            for number, path in enumerate(
                (
                    "/listings?q=dress",
                    "/listings?limit=3&q=dress",
                    "/listings?%71=dress",
                    "/listings?page=100&limit=100",
                    "/listings?category=women-clothes&%74otal=true",
                    f"{seller}?limit=2&page=2",
                )
            ):
                reply = await client.get(path)
                assert reply.status_code == 200
                assert told(reply)["search.address"]["r"] == CALLS[Limit.SEARCH] - number - 1

    async def test_who_is_signed_in_is_counted_too(self, api: LimitedApi) -> None:
        async with api.client() as client:
            headers = await token_of(client)
            for _ in range(120):
                assert (await client.get("/listings?q=dress", headers=headers)).status_code == 200
            assert (await client.get("/listings?q=dress", headers=headers)).status_code == 429
            assert (await client.get("/listings", headers=headers)).status_code == 200
            assert (await client.get("/listings?q=dress")).status_code == 200


async def test_a_request_that_is_run_again_after_a_conflict_is_counted_once(api: LimitedApi) -> None:
    runs: list[int] = []

    @post("/unlucky", guards=[limited(Limit.LOGIN)])
    async def unlucky() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise asyncpg.SerializationError("somebody else was first")

    app = Litestar(
        [unlucky], exception_handlers={Exception: handle_exception}, openapi_config=None, logging_config=None
    )
    app.state.runtime = api.runtime
    transport = httpx.ASGITransport(Gateway(app, api.runtime.settings))  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        reply = await client.post("/unlucky")
    assert (reply.status_code, len(runs)) == (201, 3)
    assert told(reply)["login.address"]["r"] == CALLS[Limit.LOGIN] - 1


def test_every_limit_has_its_policy_and_its_line_in_the_documentation(repository: Path) -> None:
    assert set(POLICIES) == set(Limit)
    lines = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]*) \| ([^|]*) \|$", (repository / "docs/limits.md").read_text(), re.M
    )
    written = {name: (account.strip(), address.strip()) for name, account, address in lines}

    def said(calls: int, seconds: int) -> str:
        spans = {60: "a minute", 300: "in 5 minutes", 600: "in 10 minutes", 3600: "an hour", 86_400: "a day"}
        return f"{calls:,} {spans[seconds]}"

    expected: dict[str, tuple[str, str]] = {}
    for limit, policy in POLICIES.items():
        rules = [rule and said(rule.item.amount, rule.item.get_expiry()) for rule in (policy.account, policy.address)]
        expected[str(limit)] = (rules[0] or "-", rules[1] or "-")
    assert written == expected, json.dumps(expected, indent=1)


class TestFactor:
    def test_a_developers_machine_is_allowed_twenty_times_as_much(self) -> None:
        local = Limiter(Settings(_env_file=None))
        assert local.policies[Limit.LOGIN].address.item.amount == 20 * CALLS[Limit.LOGIN]
        assert local.policies[Limit.LOGIN].address.header == f'"login.address";q={20 * CALLS[Limit.LOGIN]};w=300'

    @pytest.mark.parametrize(("factor", "times"), [(None, 1), (1, 1), (3, 3)])
    def test_elsewhere_the_operator_says(self, factor: int | None, times: int) -> None:
        limiter = Limiter(Settings(_env_file=None, env=Environment.TEST, rate_limit_factor=factor))
        assert {limit: policy.address.item.amount for limit, policy in limiter.policies.items()} == {
            limit: times * calls for limit, calls in CALLS.items()
        }
