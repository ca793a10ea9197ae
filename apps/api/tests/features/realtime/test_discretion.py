"""Nobody is seen to type or to be there across a block, nor when they do not show when they were last seen."""

from uuid import UUID

from support.people import Person
from support.server import ApiProcess
from support.sockets import Socket, open_socket
from support.sql import Sql
from support.talks import Talks

from .test_delivery import settle

NOTHING = {"show_city": False, "show_phone": False, "show_last_seen": False, "searchable": False}


def seen(socket: Socket, person: Person) -> list[bool]:
    return [event["online"] for event in socket.of("presence") if event["user_id"] == person.id]


async def hide(person: Person) -> None:
    assert (await person.put("/users/me/privacy", NOTHING)).status_code == 200


async def block(one: Person, other: Person) -> None:
    assert (await one.put(f"/users/me/blocks/{other.id}")).status_code == 204


class TestTyping:
    async def test_is_refused_and_not_told(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        await block(talk.buyer, talk.seller)
        async with (
            open_socket(apis[0].socket_url, talk.buyer) as buyer,
            open_socket(apis[1].socket_url, talk.seller) as seller,
        ):
            for socket in (buyer, seller):
                assert (await socket.error("chat.typing", chat_id=talk.id))["code"] == "chat_blocked"
                assert (await socket.error("chat.send", chat_id=talk.id, body="Salam"))["code"] == "chat_blocked"
            await settle()
            assert (buyer.events, seller.events) == ([], [])


class TestPresence:
    async def test_is_not_told_across_a_block(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        await block(talk.seller, talk.buyer)
        async with open_socket(apis[0].socket_url, talk.buyer) as buyer:
            await buyer.ack("subscribe", chat_id=talk.id)
            async with open_socket(apis[1].socket_url, talk.seller) as seller:
                await seller.ack("subscribe", chat_id=talk.id)
                await settle()
            await settle()
            assert (seen(buyer, talk.seller), seen(seller, talk.buyer)) == ([], [])

    async def test_ends_on_both_sides_with_a_block(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        async with open_socket(apis[0].socket_url, talk.buyer) as buyer:
            await buyer.ack("subscribe", chat_id=talk.id)
            async with open_socket(apis[1].socket_url, talk.seller) as seller:
                await seller.ack("subscribe", chat_id=talk.id)
                await buyer.until(lambda: seen(buyer, talk.seller) == [True], 2)
                await seller.until(lambda: seen(seller, talk.buyer) == [True], 2)
                await block(talk.seller, talk.buyer)
                await buyer.until(lambda: seen(buyer, talk.seller) == [True, False], 2)
                await seller.until(lambda: seen(seller, talk.buyer) == [True, False], 2)
            async with open_socket(apis[1].socket_url, talk.seller):
                await settle()
            assert seen(buyer, talk.seller) == [True, False]

    async def test_of_someone_who_hides_is_not_told(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        await hide(talk.seller)
        async with (
            open_socket(apis[0].socket_url, talk.buyer) as buyer,
            open_socket(apis[1].socket_url, talk.seller) as seller,
        ):
            await buyer.ack("subscribe", chat_id=talk.id)
            await seller.ack("subscribe", chat_id=talk.id)
            await seller.until(lambda: seen(seller, talk.buyer) == [True], 2)
            await settle()
            assert seen(buyer, talk.seller) == []
            # Messages are no secret of whether one is there.
            await buyer.ack("chat.send", chat_id=talk.id, body="Salam")
            await seller.until(lambda: seller.seqs(talk.id) == [2], 2)

    async def test_ends_when_someone_begins_to_hide(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        async with (
            open_socket(apis[0].socket_url, talk.buyer) as buyer,
            open_socket(apis[1].socket_url, talk.seller),
        ):
            await buyer.ack("subscribe", chat_id=talk.id)
            await buyer.until(lambda: seen(buyer, talk.seller) == [True], 2)
            await hide(talk.seller)
            await buyer.until(lambda: seen(buyer, talk.seller) == [True, False], 2)

    async def test_ends_also_when_the_poke_was_lost(self, apis: list[ApiProcess], talks: Talks, sql: Sql) -> None:
        talk = await talks.new()
        async with (
            open_socket(apis[0].socket_url, talk.buyer) as buyer,
            open_socket(apis[1].socket_url, talk.seller),
        ):
            await buyer.ack("subscribe", chat_id=talk.id)
            await buyer.until(lambda: seen(buyer, talk.seller) == [True], 2)
            await sql.execute("UPDATE users SET show_last_seen = false WHERE id = $1", UUID(talk.seller.id))
            await buyer.until(lambda: seen(buyer, talk.seller) == [True, False], 10)
