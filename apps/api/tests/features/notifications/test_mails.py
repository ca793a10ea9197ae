"""News by mail: to whom, when, at most once, and how one is rid of them."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from memi.notifications import outbox
from memi.notifications.mail_jobs import Recipient, mail_person
from memi.platform.mail import Mail, Mailer, MailNotSent, MailRefused, MailTurnedAway
from memi.platform.runtime import Runtime
from memi.users import service as users
from support.deals import Deals
from support.mail import bodies
from support.news import Newsroom
from support.people import People, Person
from support.sql import Sql
from support.talks import Talks

UNBLOCKED = "Your account is open again"


class FailingMailer:
    """Ends each mail as it is told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    async def send(self, mail: Mail) -> None:
        self.asked += 1
        raise self.error


async def send_failing(news: Newsroom, error: Exception) -> int:
    """How many mails were tried while each ends with `error`."""
    adapters = news.runtime.adapters
    real = adapters.get(Mailer)  # pyright: ignore[reportAbstractUsage]
    failing = FailingMailer(error)
    adapters.set(Mailer, failing)  # pyright: ignore[reportAbstractUsage, reportArgumentType]
    try:
        await news.send()
    finally:
        adapters.set(Mailer, real)  # pyright: ignore[reportAbstractUsage]
    return failing.asked


class TestWhoIsMailed:
    async def test_each_notification_leads_to_one_mail_however_often_jobs_run(self, news: Newsroom) -> None:
        person = await news.reader()
        await news.tell(person, key="once")
        await news.tell(person, key="once")
        for _ in range(3):
            await news.send()
            await mail_person.run(Recipient(UUID(person.id)), news.runtime)
        assert news.subjects(person) == [UNBLOCKED]
        assert await news.states(person) == ["SENT"]

    async def test_many_workers_at_once_send_each_mail_once(self, news: Newsroom) -> None:
        person = await news.reader()
        for _ in range(10):
            await news.tell(person)
        await asyncio.gather(*(mail_person.run(Recipient(UUID(person.id)), news.runtime) for _ in range(8)))
        await news.send()
        assert len(news.mails(person)) == 10

    async def test_an_address_that_is_not_proved_gets_nothing(self, people: People, news: Newsroom, sql: Sql) -> None:
        person = await people.new()
        await news.tell(person)
        await news.can_be_mailed(person)
        await news.send()
        assert news.mails(person) == []

    @pytest.mark.parametrize("column", ["is_blocked = true", "deleted_at = now()", "email_verified_at = NULL"])
    async def test_whoever_is_blocked_or_gone_meanwhile_gets_nothing(
        self, news: Newsroom, sql: Sql, column: str
    ) -> None:
        person = await news.reader()
        await news.tell(person, "GENERIC")
        await news.tell(person, "ORDER", "order.paid")
        await sql.execute(f"UPDATE users SET {column} WHERE id = $1", UUID(person.id))
        await news.send()
        assert news.mails(person) == []
        assert await news.states(person) == ["DROPPED"]

    async def test_whoever_is_blocked_is_told_that_they_are(self, news: Newsroom, sql: Sql) -> None:
        person = await news.reader()
        await sql.execute("UPDATE users SET is_blocked = true WHERE id = $1", UUID(person.id))
        await news.tell(person, "MODERATION", "moderation.decided", statement="Threats", appeal_until=None)
        await news.tell(person, "MODERATION", "listing.restored")
        await news.send()
        assert news.subjects(person) == ["Our moderators have decided"]
        assert "Threats" in bodies(news.mails(person)[0])[0]

    async def test_what_was_read_or_switched_off_meanwhile_is_not_mailed(self, news: Newsroom) -> None:
        read, off = await news.reader(2)
        for person in (read, off):
            await news.tell(person)
        await read.post("/notifications/read-all")
        await news.prefer(off, MODERATION={"email": False})
        await news.send()
        assert (news.mails(read), news.mails(off)) == ([], [])

    async def test_mails_wait_for_the_end_of_quiet_hours(self, news: Newsroom, sql: Sql) -> None:
        person = await news.reader()
        await news.prefer(person, quiet_hours={"from": "00:00", "to": "23:59", "time_zone": "UTC"})
        await news.tell(person)
        await news.send()
        assert (news.mails(person), await news.states(person)) == ([], ["DUE"])
        waits = "SELECT (due_at AT TIME ZONE 'UTC')::time::text FROM notification_mails WHERE user_id = $1"
        assert await sql.value(waits, UUID(person.id)) == "23:59:00"
        await news.prefer(person, quiet_hours=None)
        await news.pass_time(person, 24 * 60)
        await news.send()
        assert news.subjects(person) == [UNBLOCKED]

    async def test_in_the_language_of_the_reader(self, news: Newsroom, sql: Sql) -> None:
        person = await news.reader()
        await sql.execute("UPDATE users SET locale = 'ru' WHERE id = $1", UUID(person.id))
        await news.tell(person)
        await news.send()
        assert news.subjects(person) == ["Ваша учётная запись снова открыта"]


class TestDeals:
    async def test_a_deal_is_mailed_to_the_other_side_and_hides_what_people_hide(
        self, deals: Deals, news: Newsroom, sql: Sql
    ) -> None:
        seller = await deals.people.new("Murad")
        await news.can_be_mailed(seller)
        buyer = await deals.people.new("Leyla")
        await buyer.patch("/users/me", {"phone": "+994501112233", "city": "BAKU"})
        deal = await deals.request(await deals.item(seller), buyer, seller)
        await news.send()
        (mail,) = news.mails(seller)
        assert mail["Subject"] == "Leyla wants to reserve “Wool coat”"
        for body in bodies(mail):
            assert f"/reservations/{deal.id}" in body
            for hidden in ("+994", "BAKU", buyer.email, buyer.id):
                assert hidden not in body

    async def test_a_name_is_as_it_is_when_the_mail_leaves(self, deals: Deals, news: Newsroom, sql: Sql) -> None:
        seller = await deals.people.new("Murad")
        await news.can_be_mailed(seller)
        deal = await deals.new(seller=seller)
        await news.run_jobs()
        await sql.execute("UPDATE users SET deleted_at = now() WHERE id = $1", UUID(deal.buyer.id))
        await news.send()
        assert news.subjects(seller) == ["Deleted user wants to reserve “Wool coat”"]


class TestMessages:
    async def test_wait_and_come_as_one_mail_of_all_chats(self, talks: Talks, news: Newsroom, sql: Sql) -> None:
        first = await talks.new()
        await news.can_be_mailed(first.seller)
        second = await talks.new(seller=first.seller)
        for _ in range(2):
            await first.say(first.buyer, "a secret of ours")
        await second.say(second.buyer)
        await news.send()
        assert news.mails(first.seller) == [], "they wait to be read"
        await news.pass_time(first.seller, 5)
        await news.send()
        (mail,) = news.mails(first.seller)
        for body in bodies(mail):
            assert "secret" not in body
            assert body.count("Wool coat: ") == 2 or body.count("· Wool coat: ") == 2
        assert "CLAIMED" not in await news.states(first.seller)

    async def test_are_not_mailed_once_read(self, talks: Talks, news: Newsroom, sql: Sql) -> None:
        talk = await talks.new()
        await news.can_be_mailed(talk.seller)
        said = await talk.say(talk.buyer)
        await news.run_jobs()
        assert (await talk.seller.post(f"/chats/{talk.id}/read", {"seq": said["seq"]})).status_code == 200
        await news.pass_time(talk.seller, 5)
        await news.send()
        assert news.mails(talk.seller) == []
        assert set(await news.states(talk.seller)) == {"DROPPED"}

    async def test_the_wait_begins_anew_with_the_first_that_is_unread(
        self, talks: Talks, news: Newsroom, sql: Sql
    ) -> None:
        talk = await talks.new()
        await news.can_be_mailed(talk.seller)
        said = await talk.say(talk.buyer)
        await news.run_jobs()
        await talk.seller.post(f"/chats/{talk.id}/read", {"seq": said["seq"]})
        await news.pass_time(talk.seller, 5)
        await talk.say(talk.buyer)
        await news.send()
        assert news.mails(talk.seller) == []
        await news.pass_time(talk.seller, 5)
        await news.send()
        assert len(news.mails(talk.seller)) == 1

    async def test_across_a_block_nothing_is_mailed(self, talks: Talks, news: Newsroom, sql: Sql) -> None:
        talk = await talks.new()
        await news.can_be_mailed(talk.seller)
        await talk.say(talk.buyer)
        await news.run_jobs()
        assert (await talk.seller.put(f"/users/me/blocks/{talk.buyer.id}")).status_code in (200, 204)
        await news.pass_time(talk.seller, 5)
        await news.send()
        assert news.mails(talk.seller) == []


class TestDigest:
    async def test_news_of_listings_come_once_a_day_as_one_mail(self, deals: Deals, news: Newsroom, sql: Sql) -> None:
        fan, other = await news.reader(2)
        await news.prefer(fan, digest="daily")
        seller = await deals.people.new()
        items = [await deals.item(seller) for _ in range(3)]
        for item in items:
            about: dict[str, Any] = {"listing_id": item, "listing_title": "Wool coat", "before": 5000, "after": 4500}
            for person in (fan, other):
                await news.tell(person, "LISTING", "listing.price_dropped", **about, price={"currency": "AZN"})
        await news.send()
        assert news.mails(fan) == []
        # The third was taken down before the digest leaves.
        assert (await seller.post(f"/listings/{items[2]}/unpublish")).status_code == 200
        await news.pass_time(fan, 24 * 60)
        for _ in range(2):
            await news.send()
        assert news.subjects(fan) == ["News of the items you follow (2)"]
        assert bodies(news.mails(fan)[0])[0].count("“Wool coat” costs less: 45.00 AZN") == 2
        assert sorted(await news.states(fan)) == ["DROPPED", "SENT", "SENT"]
        assert (news.mails(other), await news.states(other)) == ([], [])


class TestFailures:
    async def test_what_surely_did_not_leave_is_tried_again(self, news: Newsroom) -> None:
        person = await news.reader()
        await news.tell(person)
        assert await send_failing(news, MailTurnedAway("down")) == 1
        assert (news.mails(person), await news.states(person)) == ([], ["DUE"])
        await news.send()
        assert news.mails(person) == [], "not at once"
        await news.pass_time(person, 1)
        await news.send()
        assert news.subjects(person) == [UNBLOCKED]

    async def test_what_may_have_left_is_never_sent_again(self, news: Newsroom) -> None:
        person = await news.reader()
        await news.tell(person)
        assert await send_failing(news, MailNotSent("the connection broke")) == 1
        await news.pass_time(person, 60)
        await news.send()
        assert (news.mails(person), await news.states(person)) == ([], ["FAILED"])

    async def test_a_claim_whose_worker_died_is_never_sent_again(self, news: Newsroom, runtime: Runtime) -> None:
        person = await news.reader()
        await news.tell(person)
        async with runtime.unit_of_work() as session:
            claimed = await outbox.claim(session, runtime.settings, runtime.key_ring, UUID(person.id))
        assert claimed is not None
        await news.send()
        assert (news.mails(person), await news.states(person)) == ([], ["CLAIMED"])

    async def test_a_refused_address_gets_no_more_until_it_is_proved_anew(self, news: Newsroom, sql: Sql) -> None:
        person = await news.reader()
        await news.tell(person)
        await news.tell(person)
        assert await send_failing(news, MailRefused("no such mailbox")) == 1
        await news.tell(person)
        await news.send()
        assert news.mails(person) == []
        assert sorted(await news.states(person)) == ["DROPPED", "FAILED"]
        shown = (await person.get("/notifications")).json()["items"]
        assert "account.email_refused" in [item["event"] for item in shown]
        # Its owner asks for the link again, and follows it.
        assert (await person.post("/auth/email/resend")).status_code in (200, 202, 204)
        async with news.runtime.unit_of_work() as session:
            await users.mark_verified(session, UUID(person.id))
        await news.tell(person)
        await news.send()
        assert news.subjects(person) == [UNBLOCKED]


class TestUnsubscribing:
    async def address(self, news: Newsroom, person: Person) -> str:
        await news.tell(person)
        await news.send()
        mail = news.mails(person)[-1]
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        address = str(mail["List-Unsubscribe"])
        assert address in {f"<{word}>" for body in bodies(mail)[:1] for word in body.split()}
        return address.strip("<>").partition("/api/v1")[2]

    async def test_one_post_ends_that_kind_of_mail_without_signing_in(
        self, client: httpx.AsyncClient, news: Newsroom
    ) -> None:
        person = await news.reader()
        before = (await person.get("/notifications/preferences")).json()
        path = f"/api/v1{await self.address(news, person)}"
        page = await client.get(path)
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
        assert '<form method="post">' in page.text
        assert (await person.get("/notifications/preferences")).json() == before, "opening it changes nothing"
        for _ in range(2):
            reply = await client.post(path, data={"List-Unsubscribe": "One-Click"})
            assert reply.status_code == 200, reply.text
        after = (await person.get("/notifications/preferences")).json()
        assert after["types"].pop("MODERATION") == {"in_app": True, "push": True, "email": False}
        before["types"].pop("MODERATION")
        assert after == before
        await news.tell(person)
        await news.send()
        assert len(news.mails(person)) == 1

    async def test_a_token_that_we_did_not_seal_is_not_found_and_changes_nothing(
        self, client: httpx.AsyncClient, news: Newsroom, sql: Sql
    ) -> None:
        person = await news.reader()
        path = f"/api/v1{await self.address(news, person)}"
        before = await sql.value("SELECT count(*) FROM notification_preferences")
        turned = path[:-1] + ("A" if path[-1] != "A" else "B")
        for bad in (turned[:-3] + "AAA", path[:-8], path.rpartition("/")[0] + "/nonsense", path[:-2] + "%C3%A9"):
            for method in ("GET", "POST"):
                assert (await client.request(method, bad)).status_code == 404, bad
        assert await sql.value("SELECT count(*) FROM notification_preferences") == before
