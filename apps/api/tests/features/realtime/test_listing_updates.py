"""`listing.updated`: who has a chat about an item sees it change."""

from support.people import People
from support.server import ApiProcess
from support.sockets import open_socket
from support.talks import Talks


async def test_both_sides_of_a_chat_are_told_and_strangers_are_not(
    apis: list[ApiProcess], talks: Talks, people: People
) -> None:
    talk = await talks.new()
    stranger = await people.new("Rauf")
    async with (
        open_socket(apis[0].socket_url, talk.buyer) as buyer,
        open_socket(apis[1].socket_url, talk.seller) as seller,
        open_socket(apis[0].socket_url, stranger) as other,
    ):
        reply = await talk.seller.post(f"/listings/{talk.listing_id}/reserve")
        assert reply.status_code == 200, reply.text
        for socket in (buyer, seller):
            await socket.until(lambda socket=socket: socket.of("listing.updated"), 3)
            told = socket.of("listing.updated")[-1]
            assert (told["id"], told["status"]) == (talk.listing_id, "RESERVED")
        assert other.of("listing.updated") == []
