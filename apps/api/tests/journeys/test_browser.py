"""The cookie transport in a real Chromium: a front end signs in, acts, and a foreign site gets nowhere."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import BrowserContext, Page

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.chromium import chromium, chromium_path, front_end
from support.people import PASSWORD
from support.server import api_processes

CHROMIUM = chromium_path()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="this machine has no Chromium (Debian: apt install chromium)")

CALL = """async ([url, method, body, csrf]) => {
    const headers = {"Content-Type": "application/json"};
    if (csrf) headers["X-CSRF-Token"] = csrf;
    const options = {method, headers, credentials: "include"};
    if (body !== null) options.body = JSON.stringify(body);
    try {
        const reply = await fetch(url, options);
        const text = await reply.text();
        return {status: reply.status, body: text ? JSON.parse(text) : null};
    } catch (error) {
        return {status: 0, body: String(error)};
    }
}"""


@dataclass
class Site:
    """A page of a front end, and the API it calls."""

    page: Page
    api: str

    async def call(self, method: str, path: str, body: Any = None, *, csrf: str | None = None) -> dict[str, Any]:
        return await self.page.evaluate(CALL, [f"{self.api}/api/v1{path}", method, body, csrf])


@pytest.fixture
async def sites(
    database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime
) -> AsyncIterator[tuple[BrowserContext, Site, Site]]:
    """A browser with a page of the allowed front end and one of a foreign site."""
    assert CHROMIUM is not None
    with front_end() as port:
        ours, foreign = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
        async with (
            api_processes(database_urls, settings, 1, web_origins=ours) as (api,),
            chromium(CHROMIUM) as browser,
        ):
            pages: list[Site] = []
            for origin in (ours, foreign):
                page = await browser.new_page()
                await page.goto(origin)
                pages.append(Site(page, api.url))
            yield browser, pages[0], pages[1]


async def test_a_front_end_signs_in_by_cookie_and_no_other_site_can_act(
    sites: tuple[BrowserContext, Site, Site],
) -> None:
    browser, ours, foreign = sites
    email = f"{uuid4().hex}@example.com"
    made = await ours.call("POST", "/auth/register", {"email": email, "password": PASSWORD, "name": "Leyla"})
    assert made["status"] == 201
    signed_in = await ours.call("POST", "/auth/login", {"email": email, "password": PASSWORD, "transport": "cookie"})
    assert signed_in["status"] == 200
    assert "access_token" not in signed_in["body"]
    csrf = signed_in["body"]["csrf_token"]

    # What the browser keeps, and what its scripts see of it.
    kept = {cookie["name"]: cookie for cookie in await browser.cookies()}
    assert {name: cookie["httpOnly"] for name, cookie in kept.items()} == {
        "memi_access": True,
        "memi_refresh": True,
        "memi_csrf": False,
    }
    assert {cookie["sameSite"] for cookie in kept.values()} == {"Lax"}
    assert await ours.page.evaluate("document.cookie") == f"memi_csrf={csrf}"

    # Reading needs the cookie alone; changing something also needs the token.
    assert (await ours.call("GET", "/users/me"))["body"]["email"] == email
    refused = await ours.call("PATCH", "/users/me", {"name": "Mallory"})
    assert (refused["status"], refused["body"]["code"]) == (403, "csrf_failed")
    assert (await ours.call("GET", "/users/me"))["body"]["name"] == "Leyla"
    accepted = await ours.call("PATCH", "/users/me", {"name": "Leyla Q."}, csrf=csrf)
    assert (accepted["status"], accepted["body"]["name"]) == (200, "Leyla Q.")

    # A foreign site can neither read nor send with the cookies, not even knowing the token.
    assert (await foreign.call("GET", "/users/me"))["status"] == 0
    assert (await foreign.call("PATCH", "/users/me", {"name": "Mallory"}, csrf=csrf))["status"] == 0
    await foreign.page.set_content(f'<form method="post" action="{ours.api}/api/v1/auth/logout-all"><button></form>')
    async with foreign.page.expect_navigation():
        await foreign.page.click("button")
    assert (await ours.call("GET", "/users/me"))["body"]["name"] == "Leyla Q."

    # Refreshing rotates what scripts cannot see, and the session goes on.
    refreshed = await ours.call("POST", "/auth/refresh", csrf=csrf)
    assert refreshed["status"] == 200
    renewed = {cookie["name"]: cookie["value"] for cookie in await browser.cookies()}
    assert renewed["memi_refresh"] != kept["memi_refresh"]["value"]

    # Signing out leaves nothing behind.
    assert (await ours.call("POST", "/auth/logout", csrf=csrf))["status"] == 204
    assert await browser.cookies() == []
    assert (await ours.call("GET", "/users/me"))["status"] == 401
