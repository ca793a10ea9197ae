"""A person who has done everything that one can do here, in words of their own that can be looked for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from memi.platform.ids import new_id
from support.items import whole
from support.people import People, Person
from support.photos import announce, photo, put
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]
WORDS = {
    "name": "Zarifaqulu Markerova",
    "bio": "Collects velvetinaline",
    "phone": "+994501234987",
    "address": "Nizamiwinding 7",
    "recipient": "Auntie Zulfuqarina",
    "draft": "Unfinishedthing for later",
    "description": "Ask for me at the bakerycorner",
    "filename": "mylivingroomwindow.jpg",
    "request": "Pleasekeepit until Friday",
    "device": "Zarifaphone/1.0",
    "subject": "googlesubject-4711",
}
"""By where they are kept. None of them is in a message of a chat, which belongs to two."""


@dataclass
class Life:
    person: Person
    buyer: Person
    seller: Person
    kept: str
    """Their item that a buyer talked about."""
    sold: str
    unnoticed: str
    """Their item that nobody ever talked about."""
    draft: str
    liked: str
    """An item of the seller's, which they have ordered, too."""
    order: str = ""
    chats: list[str] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)


async def live(people: People, sql: Sql, run_jobs: RunJobs) -> Life:
    person, buyer, seller = await people.new("Zarifa"), await people.new("Leyla"), await people.new("Murad")
    pictures = {
        name: await _picture(person, number) for number, name in enumerate(("avatar", "cover", "back", "draft"))
    }
    pictures["sold"] = await _picture(person, 10)
    pictures["alone"] = await _picture(person, 11)
    pictures["sellers"] = await _picture(seller, 12, "coat.jpg")
    await run_jobs()
    changes = {"name": WORDS["name"], "bio": WORDS["bio"], "phone": WORDS["phone"], "city": "BAKU"}
    await _done(person.patch("/users/me", {**changes, "avatar": pictures["avatar"]}))
    address = {"recipient": WORDS["recipient"], "line1": WORDS["address"], "city": "BAKU", "label": "Home"}
    home = await _done(person.post("/users/me/addresses", address))
    stranger = await people.new("Stranger")
    await _done(person.put(f"/users/me/blocks/{stranger.id}"))
    await _done((await people.new("Hater")).put(f"/users/me/blocks/{person.id}"))
    words = {"description": WORDS["description"], "city": "BAKU", "location": {"lat": 40.41, "lon": 49.87}}
    kept = await _item(person, [pictures["cover"], pictures["back"]], publish=True, **words)
    sold = await _item(person, [pictures["sold"]], publish=True, **words)
    unnoticed = await _item(person, [pictures["alone"]], publish=True, **words)
    draft = await _item(person, [pictures["draft"]], publish=False, title=WORDS["draft"])
    liked = await _item(seller, [pictures["sellers"]], publish=True)
    life = Life(person, buyer, seller, kept, sold, unnoticed, draft, liked, pictures=pictures)
    await _done(person.put(f"/listings/{liked}/favorite"))
    await _done(buyer.put(f"/listings/{kept}/favorite"))
    for who, item, other in ((buyer, kept, person), (buyer, sold, person), (person, liked, seller)):
        made = await _done(who.post(f"/listings/{item}/chat", {"body": f"Hello from {item}", "client_id": "1"}))
        chat_id = made["chat"]["id"]
        await _done(other.post(f"/chats/{chat_id}/messages", {"body": "Hello back", "client_id": "2"}))
        life.chats.append(chat_id)
    deal = await _done(buyer.post(f"/listings/{sold}/reservations", {"message": "For my sister"}))
    await _done(person.post(f"/reservations/{deal['id']}/accept"))
    await _done(person.post(f"/reservations/{deal['id']}/complete"))
    await _done(person.post(f"/listings/{liked}/reservations", {"message": WORDS["request"]}))
    sent = {"listing_id": liked, "delivery": "SHIPPING", "address_id": home["id"]}
    life.order = (await _done(person.post("/orders", sent)))["id"]
    await _factors(sql, UUID(person.id))
    await run_jobs()
    return life


async def _picture(owner: Person, seed: int, filename: str = WORDS["filename"]) -> str:
    data = photo(seed=100 + seed)
    ticket = await announce(owner, data, filename=filename)
    assert (await put(owner.client, ticket, data)).status_code == 200
    await _done(owner.post(f"/uploads/{ticket['id']}/complete"))
    return str(ticket["id"])


async def _item(owner: Person, images: list[str], *, publish: bool, **changes: Any) -> str:
    made = await _done(owner.post("/listings", whole(publish=publish, images=images, **changes)))
    return str(made["id"])


async def _done(call: Awaitable[Any]) -> Any:
    reply = await call
    assert reply.status_code < 300, reply.text
    return reply.json() if reply.content else None


async def _factors(sql: Sql, user_id: UUID) -> None:
    """What other tests set up step by step, and a device of its own."""
    await sql.execute("UPDATE auth_sessions SET user_agent = $2 WHERE user_id = $1", user_id, WORDS["device"])
    await sql.execute(
        "INSERT INTO totp_factors (user_id, secret, confirmed_at) VALUES ($1, 'sealed', now() - interval '1 day')",
        user_id,
    )
    await sql.execute("INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, 'a'), ($1, 'b')", user_id)
    await sql.execute(
        "INSERT INTO external_identities (id, user_id, provider, subject, email) VALUES ($1, $2, 'google', $3, $4)",
        new_id(),
        user_id,
        WORDS["subject"],
        "zarifa.else@example.com",
    )
    await sql.execute(
        "INSERT INTO mfa_challenges (id, token_hash, user_id, epoch, transport, expires_at) "
        "VALUES ($1, 'challenge', $2, 0, 'token', now())",
        new_id(),
        user_id,
    )
    await sql.execute(
        "INSERT INTO oauth_results (id, code_hash, bound_to, user_id, expires_at) VALUES ($1, $2, $2, $3, now())",
        new_id(),
        b"c" * 32,
        user_id,
    )
