"""Nothing lost, nothing twice, in order: between two processes, and with the test's own as the third."""

import asyncio
from uuid import UUID

from memi.chat import service
from memi.platform.runtime import Runtime
from support.people import People
from support.server import ApiProcess
from support.sockets import Socket, open_socket
from support.sql import Sql
from support.talks import Talks


async def settle() -> None:
    """Long enough for every poll, so that what must not come would have come."""
    await asyncio.sleep(1.2)


class TestAcrossProcesses:
    async def test_a_message_reaches_every_socket_of_both_sides_once(
        self, apis: list[ApiProcess], talks: Talks
    ) -> None:
        talk = await talks.new()
        first, second = apis[0].socket_url, apis[1].socket_url
        async with (
            open_socket(first, talk.buyer) as sender,
            open_socket(second, talk.buyer) as other_device,
            open_socket(first, talk.seller) as near,
            open_socket(second, talk.seller) as far,
        ):
            message = await sender.ack("chat.send", chat_id=talk.id, body="Salam", client_id="a")
            assert (message["seq"], message["sender_id"], message["kind"]) == (2, talk.buyer.id, "TEXT")
            sockets = (sender, other_device, near, far)
            for socket in sockets:
                await socket.until(lambda socket=socket: socket.seqs(talk.id), 2)
            await settle()
            assert [socket.of("message.created") for socket in sockets] == [[message]] * 4

    async def test_what_was_sent_over_http_comes_too(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        async with open_socket(apis[0].socket_url, talk.seller) as socket:
            sent = await talk.say(talk.buyer, "over http")
            await socket.until(lambda: socket.of("message.created"), 2)
            assert socket.of("message.created") == [sent]

    async def test_a_chat_that_begins_later_comes_from_its_first_message(
        self, apis: list[ApiProcess], talks: Talks, people: People
    ) -> None:
        seller = await people.new("Murad")
        async with open_socket(apis[1].socket_url, seller) as socket:
            talk = await talks.new(seller=seller)
            await talk.say(talk.buyer)
            await socket.until(lambda: len(socket.seqs(talk.id)) == 2, 2)
            assert socket.seqs(talk.id) == [1, 2]

    async def test_a_chat_long_quiet_comes_from_where_the_socket_began(
        self, apis: list[ApiProcess], talks: Talks, sql: Sql
    ) -> None:
        talk = await talks.new()
        await talk.say(talk.buyer)
        await sql.execute("ALTER TABLE messages DISABLE TRIGGER messages_lose_only_words")
        await sql.execute("UPDATE messages SET created_at = now() - interval '1 day' WHERE chat_id = $1", UUID(talk.id))
        await sql.execute("ALTER TABLE messages ENABLE ALWAYS TRIGGER messages_lose_only_words")
        await sql.execute("UPDATE chats SET last_message_at = now() - interval '1 day' WHERE id = $1", UUID(talk.id))
        async with open_socket(apis[0].socket_url, talk.seller) as socket:
            await talk.say(talk.buyer)
            await socket.until(lambda: socket.seqs(talk.id), 2)
            assert socket.seqs(talk.id) == [3]
            caught_up = await socket.ack("subscribe", chat_id=talk.id, after_seq=0)
            assert [item["seq"] for item in caught_up["items"]] == [1, 2]

    async def test_system_lines_come(self, apis: list[ApiProcess], talks: Talks, runtime: Runtime) -> None:
        talk = await talks.new()
        async with open_socket(apis[0].socket_url, talk.seller) as socket:
            async with runtime.unit_of_work() as session:
                await service.post_system(session, UUID(talk.id), "reservation.accepted")
            await socket.until(lambda: socket.of("message.created"), 2)
            line = socket.of("message.created")[0]
            assert (line["kind"], line["sender_id"], line["body"]) == ("SYSTEM", None, "reservation.accepted")

    async def test_strangers_hear_nothing(self, apis: list[ApiProcess], talks: Talks, people: People) -> None:
        talk = await talks.new()
        async with open_socket(apis[0].socket_url, await people.new("Stranger")) as socket:
            await talk.say(talk.buyer)
            for command in ("subscribe", "chat.typing"):
                assert (await socket.error(command, chat_id=talk.id))["code"] == "not_found"
            assert (await socket.error("chat.send", chat_id=talk.id, body="x", client_id="y"))["code"] == "not_found"
            assert (await socket.error("chat.read", chat_id=talk.id, seq=1))["code"] == "not_found"
            await settle()
            assert socket.events == []
        assert (await talk.seen_by(talk.seller))["last_seq"] == 2

    async def test_four_sockets_shouting_at_once(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        first, second = apis[0].socket_url, apis[1].socket_url
        each = 25
        async with (
            open_socket(first, talk.buyer) as a,
            open_socket(second, talk.buyer) as b,
            open_socket(first, talk.seller) as c,
            open_socket(second, talk.seller) as d,
        ):

            async def shout(socket: Socket, name: str) -> None:
                for number in range(each):
                    await socket.ack("chat.send", chat_id=talk.id, body=f"{name} {number}", client_id=f"{name}{number}")

            sockets = (a, b, c, d)
            await asyncio.gather(*(shout(socket, name) for socket, name in zip(sockets, "abcd", strict=True)))
            whole = list(range(2, 2 + 4 * each))
            for socket in sockets:
                await socket.until(lambda socket=socket: len(socket.seqs(talk.id)) >= len(whole), 5)
            await settle()
            assert [socket.seqs(talk.id) for socket in sockets] == [whole] * 4


class TestSubscribe:
    async def test_makes_up_for_what_came_before(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        for _ in range(4):
            await talk.say(talk.buyer)
        async with open_socket(apis[0].socket_url, talk.seller) as socket:
            await talk.say(talk.buyer)
            await socket.until(lambda: socket.seqs(talk.id) == [6], 2)
            caught_up = await socket.ack("subscribe", chat_id=talk.id, after_seq=2)
            assert [item["seq"] for item in caught_up["items"]] == [3, 4, 5]
            assert (caught_up["has_more"], caught_up["next_after_seq"], caught_up["last_seq"]) == (False, None, 6)
            await settle()
            assert socket.seqs(talk.id) == [6]

    async def test_while_messages_pour_in_there_is_neither_gap_nor_double(
        self, apis: list[ApiProcess], talks: Talks
    ) -> None:
        talk = await talks.new()
        done = asyncio.Event()

        async def pour() -> None:
            for _ in range(60):
                await talk.say(talk.buyer)
            done.set()

        pouring = asyncio.create_task(pour())
        while not done.is_set():
            async with open_socket(apis[1].socket_url, talk.seller) as socket:
                items = (await socket.ack("subscribe", chat_id=talk.id, after_seq=0))["items"]
                await asyncio.sleep(0.15)
                last = (await talk.seen_by(talk.seller))["last_seq"]
                got = [item["seq"] for item in items]
                await socket.until(lambda got=got, last=last, s=socket: max([*got, *s.seqs(talk.id)]) >= last, 3)
                everything = got + socket.seqs(talk.id)
                assert sorted(everything) == list(range(1, max(everything) + 1))
                assert socket.seqs(talk.id) == sorted(socket.seqs(talk.id))
        await pouring

    async def test_long_absences_come_in_pages(self, apis: list[ApiProcess], talks: Talks, sql: Sql) -> None:
        talk = await talks.new()
        await sql.execute(
            "SELECT chat_send($1, $2, gen_random_uuid(), 'line', NULL, false, '{}', '{}') FROM generate_series(1, 449)",
            UUID(talk.id),
            UUID(talk.buyer.id),
        )
        async with open_socket(apis[0].socket_url, talk.seller) as socket:
            seqs: list[int] = []
            after, sizes = 0, []
            while after is not None:
                page = await socket.ack("subscribe", chat_id=talk.id, after_seq=after)
                seqs += [item["seq"] for item in page["items"]]
                sizes.append(len(page["items"]))
                after = page["next_after_seq"]
            assert (seqs, sizes) == (list(range(1, 451)), [200, 200, 50])

    async def test_without_a_number_it_makes_up_for_nothing(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        async with open_socket(apis[0].socket_url, talk.seller) as socket:
            caught_up = await socket.ack("subscribe", chat_id=talk.id)
            assert (caught_up["items"], caught_up["last_seq"]) == ([], 1)
            await socket.ack("unsubscribe", chat_id=talk.id)
            await talk.say(talk.buyer)
            await socket.until(lambda: socket.seqs(talk.id) == [2], 2)


class TestReadingTypingPresence:
    async def test_reading_is_told_to_the_other_side(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        async with (
            open_socket(apis[0].socket_url, talk.buyer) as buyer,
            open_socket(apis[1].socket_url, talk.seller) as seller,
        ):
            read = await seller.ack("chat.read", chat_id=talk.id, seq=1)
            assert (read["read_seq"], read["unread_count"]) == (1, 0)
            await buyer.until(lambda: buyer.of("chat.read"), 2)
            assert buyer.of("chat.read") == [{"chat_id": talk.id, "user_id": talk.seller.id, "seq": 1}]
            assert (await seller.error("chat.read", chat_id=talk.id, seq=9))["errors"][0]["pointer"] == "/seq"

    async def test_typing_is_told_and_a_block_silences_it(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()
        async with (
            open_socket(apis[0].socket_url, talk.buyer) as buyer,
            open_socket(apis[1].socket_url, talk.seller) as seller,
        ):
            await seller.ack("chat.typing", chat_id=talk.id)
            await buyer.until(lambda: buyer.of("chat.typing"), 2)
            assert buyer.of("chat.typing") == [{"chat_id": talk.id, "user_id": talk.seller.id}]
            assert seller.of("chat.typing") == []
            await talk.buyer.put(f"/chats/{talk.id}/block")
            assert (await seller.error("chat.typing", chat_id=talk.id))["code"] == "chat_blocked"

    async def test_presence_of_the_other_side_of_an_open_chat(self, apis: list[ApiProcess], talks: Talks) -> None:
        talk = await talks.new()

        def seen(socket: Socket) -> list[bool]:
            return [event["online"] for event in socket.of("presence") if event["user_id"] == talk.seller.id]

        async with open_socket(apis[0].socket_url, talk.buyer) as buyer:
            await buyer.ack("subscribe", chat_id=talk.id)
            async with open_socket(apis[1].socket_url, talk.seller):
                await buyer.until(lambda: seen(buyer) == [True], 2)
                async with open_socket(apis[1].socket_url, talk.buyer) as later:
                    await later.ack("subscribe", chat_id=talk.id)
                    await later.until(lambda: seen(later) == [True], 2)
            await buyer.until(lambda: seen(buyer)[-1:] == [False], 2)
