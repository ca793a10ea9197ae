"""Providers for the run, and a memi that signs in with them."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from pydantic import SecretStr

from memi import wiring
from memi.app import create_litestar
from memi.platform.gateway import Gateway
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.oidc import CLIENT_ID, CLIENT_SECRET, KEY_ID, TEAM_ID, Browser, OidcProvider


@pytest.fixture(scope="session")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with OidcProvider("google", tmp_path_factory.mktemp("google") / "log") as provider:
        yield provider


@pytest.fixture(scope="session")
def apple(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with OidcProvider("apple", tmp_path_factory.mktemp("apple") / "log") as provider:
        yield provider


@pytest.fixture(scope="module")
def settings(settings: Settings, google: OidcProvider, apple: OidcProvider) -> Settings:
    return settings.model_copy(
        update={
            "google_issuer": google.issuer,
            "google_client_id": CLIENT_ID,
            "google_client_secret": SecretStr(CLIENT_SECRET),
            "apple_issuer": apple.issuer,
            "apple_client_id": CLIENT_ID,
            "apple_team_id": TEAM_ID,
            "apple_key_id": KEY_ID,
            "apple_private_key": SecretStr(apple.pem),
        }
    )


@pytest.fixture(scope="module")
async def open_browser(runtime: Runtime) -> AsyncIterator[Callable[[], Browser]]:
    """Gives each caller a browser of its own."""
    app = create_litestar(runtime.settings, lambda: wiring.already_open(runtime))
    opened: list[Browser] = []

    def open_one() -> Browser:
        opened.append(Browser(Gateway(app, runtime.settings)))
        return opened[-1]

    async with app.lifespan():
        yield open_one
        for browser in opened:
            await browser.http.aclose()


@pytest.fixture
def browser(open_browser: Callable[[], Browser]) -> Browser:
    return open_browser()
