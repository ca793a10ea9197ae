"""What staff look at in somebody's place is nobody's use."""

from features.usage.conftest import Visits
from support.impersonating import acting
from support.items import make_listing
from support.people import People
from support.sql import Sql


async def test_nothing_is_recorded_of_it(visits: Visits, people: People, sql: Sql) -> None:
    listing = await make_listing(await people.new("Murad"), sql, title="Palto zəfəran")
    staff = await acting(people, sql)
    await visits.read(listing["id"], staff.them)
    found = await visits.search(staff.them, q="zəfəran")
    assert [item["id"] for item in found.json()["items"]] == [listing["id"]]
    assert await visits.of_search(found.headers["x-search-id"]) == []
    assert await visits.of_listing(listing["id"]) == []
    await visits.read(listing["id"], staff.person)
    assert len(await visits.of_listing(listing["id"])) == 1


async def test_nobody_consents_in_anothers_place(people: People, sql: Sql) -> None:
    staff = await acting(people, sql)
    refused = await staff.them.put("/users/me/usage-consent", {"consent": True})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_while_impersonating")
    assert (await staff.person.get("/users/me/usage-consent")).json() == {"consent": False, "changed_at": None}
