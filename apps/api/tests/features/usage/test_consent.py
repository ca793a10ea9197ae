"""Nobody's use is kept as theirs unless they say so, for as long as they say so."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from features.usage.conftest import Visits
from memi.platform.personal_data import PersonalDataRegistry
from memi.platform.runtime import Runtime
from memi.usage import personal_data
from memi.usage import queries as usage_queries
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

PATH = "/users/me/usage-consent"
NAMED_SINCE = """
SELECT count(*) FROM usage_events WHERE listing_id = $1 AND person IS NOT NULL AND at > $2::text::timestamptz
"""


async def consents(person: Person, answer: bool) -> dict[str, Any]:
    reply = await person.put(PATH, {"consent": answer})
    assert reply.status_code == 200, reply.text
    return reply.json()


async def stored(sql: Sql, person: Person) -> list[dict[str, Any]]:
    return await sql.rows("SELECT * FROM usage_consents WHERE user_id = $1", UUID(person.id))


class TestAsking:
    async def test_who_is_not_signed_in_is_asked_to(self, client: httpx.AsyncClient, sql: Sql) -> None:
        before = await sql.value("SELECT count(*) FROM usage_consents")
        assert (await client.get(f"/api/v1{PATH}")).status_code == 401
        assert (await client.put(f"/api/v1{PATH}", json={"consent": True})).status_code == 401
        assert await sql.value("SELECT count(*) FROM usage_consents") == before

    async def test_nobody_consents_who_did_not_say_so(self, people: People) -> None:
        assert (await (await people.new()).get(PATH)).json() == {"consent": False, "changed_at": None}

    async def test_an_answer_is_kept_with_its_time_and_saying_it_again_changes_nothing(self, people: People) -> None:
        person, other = await people.new(), await people.new()
        given = await consents(person, True)
        assert given["consent"] is True
        assert given["changed_at"] is not None
        assert await consents(person, True) == given == (await person.get(PATH)).json()
        withdrawn = await consents(person, False)
        assert withdrawn["consent"] is False
        assert withdrawn["changed_at"] > given["changed_at"]
        assert (await other.get(PATH)).json() == {"consent": False, "changed_at": None}

    async def test_saying_it_again_waits_for_nobody_who_writes(self, people: People, runtime: Runtime) -> None:
        person = await people.new()
        given = await consents(person, True)
        async with runtime.unit_of_work() as writing, asyncio.timeout(2):
            await usage_queries.enter(writing)
            assert await consents(person, True) == given

    @pytest.mark.parametrize(
        "body", [{}, {"consent": "yes"}, {"consent": 1}, {"consent": None}, {"consent": True, "x": 1}]
    )
    async def test_anything_else_is_refused(self, people: People, sql: Sql, body: dict[str, Any]) -> None:
        person = await people.new()
        assert (await person.put(PATH, body)).status_code == 422
        assert await stored(sql, person) == []


class TestKeeping:
    async def test_only_while_they_consent_events_name_a_person(self, visits: Visits, people: People, sql: Sql) -> None:
        listing = await make_listing(await people.new("Murad"), sql)
        person = await people.new()
        for answer in (None, True, True, False, True):
            if answer is not None:
                await consents(person, answer)
            await visits.read(listing["id"], person)
            await visits.recorder.flush()
        keys = [event["person"] for event in await visits.of_listing(listing["id"])]
        assert [key is not None for key in keys] == [False, True, True, False, True]
        assert keys[1] == keys[2] != keys[4]
        assert len(keys[1]) == 16

    async def test_two_people_have_two_keys(self, visits: Visits, people: People, sql: Sql) -> None:
        listing = await make_listing(await people.new("Murad"), sql)
        for person in [await people.new(), await people.new()]:
            await consents(person, True)
            await visits.read(listing["id"], person)
        keys = [event["person"] for event in await visits.of_listing(listing["id"])]
        assert None not in keys
        assert len(set(keys)) == 2

    async def test_from_the_moment_that_it_is_withdrawn_nothing_new_names_them(
        self, visits: Visits, people: People, sql: Sql
    ) -> None:
        """However the writing of events and the withdrawal meet."""
        listing = await make_listing(await people.new("Murad"), sql)
        person = await people.new()
        for _ in range(15):
            await consents(person, True)
            stop = asyncio.Event()

            async def browse(stop: asyncio.Event = stop) -> None:
                while not stop.is_set():
                    await visits.read(listing["id"], person)
                    await visits.recorder.flush()

            browsing = [asyncio.create_task(browse()) for _ in range(3)]
            await asyncio.sleep(0.03)
            withdrawn = (await consents(person, False))["changed_at"]
            stop.set()
            await asyncio.gather(*browsing)
            await visits.recorder.flush()
            assert await sql.value(NAMED_SINCE, UUID(listing["id"]), withdrawn) == 0
        named = sum(event["person"] is not None for event in await visits.of_listing(listing["id"]))
        assert named > 0


class TestPersonalData:
    async def test_they_get_to_read_what_is_kept_as_theirs_and_nothing_else(
        self, visits: Visits, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        listing = await make_listing(await people.new("Murad"), sql)
        person, other = await people.new(), await people.new()
        await visits.read(listing["id"], person)
        await visits.recorder.flush()
        for one in (person, other):
            await consents(one, True)
        await visits.read(listing["id"], person)
        await visits.read(listing["id"], other)
        await visits.recorder.flush()
        exported = await export(runtime, person)
        assert exported["usage_consent"][0]["consent"] is True
        [event] = exported["usage_events"]
        assert (event["kind"], str(event["listing_id"])) == ("LISTING_VIEW", listing["id"])
        await consents(person, False)
        exported = await export(runtime, person)
        assert exported["usage_consent"][0]["consent"] is False
        assert exported["usage_events"] == []

    async def test_long_histories_are_read_page_by_page(
        self, visits: Visits, people: People, sql: Sql, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(personal_data, "_PAGE", 2)
        listing, person = await make_listing(await people.new("Murad"), sql), await people.new()
        await consents(person, True)
        for _ in range(5):
            await visits.read(listing["id"], person)
        await visits.recorder.flush()
        times = [event["at"] for event in (await export(runtime, person))["usage_events"]]
        assert len(times) == 5
        assert times == sorted(times)

    async def test_erased_nothing_leads_from_them_to_their_events(
        self, visits: Visits, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        listing, person = await make_listing(await people.new("Murad"), sql), await people.new()
        await consents(person, True)
        await visits.read(listing["id"], person)
        before = await visits.of_listing(listing["id"])
        async with runtime.unit_of_work() as session:
            part = personal_data.PERSONAL_DATA
            assert part.erase is not None
            await part.erase(session, UUID(person.id))
        assert await stored(sql, person) == []
        assert await visits.of_listing(listing["id"]) == before
        assert (await export(runtime, person))["usage_events"] == []

    async def test_it_is_in_the_file_that_people_ask_for(self, people: People, runtime: Runtime) -> None:
        names = [kind.name for kind in runtime.adapters.get(PersonalDataRegistry).kinds()]
        assert {"usage_consent", "usage_events"} <= set(names)


async def export(runtime: Runtime, person: Person) -> dict[str, list[Any]]:
    """What usage adds to a person's export."""
    found: dict[str, list[Any]] = {}
    async with runtime.unit_of_work() as session:
        for kind in personal_data.PERSONAL_DATA.kinds:
            records, following = found.setdefault(kind.name, []), None
            while True:
                batch = await kind.page(session, UUID(person.id), following)
                records.extend(batch.records)
                following = batch.following
                if following is None:
                    break
    return found
