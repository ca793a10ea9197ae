"""A connection of which the server has taken leave while nobody used it."""

from memi.platform.runtime import Runtime
from support.people import People

_GOODBYE = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection because of crash of another server process\0\0"


async def test_last_words_to_an_idle_connection_are_503_and_the_next_call_is_served(
    people: People, runtime: Runtime
) -> None:
    """They come before the end of the connection does, which is as long as it still looks open."""
    person = await people.new()
    assert (await person.get("/users/me")).status_code == 200
    connection = runtime.database.hot._idle[-1]  # pyright: ignore[reportPrivateUsage]
    protocol = connection._protocol  # pyright: ignore[reportPrivateUsage]
    protocol.data_received(b"E" + (len(_GOODBYE) + 4).to_bytes(4, "big") + _GOODBYE)
    assert not connection.is_closed()
    reply = await person.get("/users/me")
    assert (reply.status_code, reply.json()["code"]) == (503, "service_busy")
    assert (await person.get("/users/me")).status_code == 200
