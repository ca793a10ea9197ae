"""The interactive documentation, from local assets."""

import re

import httpx


async def test_the_page_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert assets
    for path in assets:
        assert path.startswith("/docs/assets/")
        assert (await client.get(path)).status_code == 200, path
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_the_user_interface_understands_the_documents_version(client: httpx.AsyncClient) -> None:
    document = (await client.get("/docs/json")).json()
    assert document["openapi"].startswith("3.1")
    bundle = await client.get("/docs/assets/swagger-ui-bundle.js")
    assert b"isOAS31" in bundle.content


async def test_there_are_no_other_assets(client: httpx.AsyncClient) -> None:
    for name in ("swagger-editor.js", "..%2Fcore.py", "index.html"):
        assert (await client.get(f"/docs/assets/{name}")).status_code == 404
