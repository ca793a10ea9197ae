"""What people were told long ago is forgotten, read or mailed first, and nothing younger."""

from uuid import UUID

import pytest

from memi.notifications import pruning
from support.news import Newsroom
from support.people import Person
from support.sql import Sql


async def told(news: Newsroom, sql: Sql, person: Person, days: int, *, read: bool = True, state: str = "SENT") -> str:
    """Told and mailed so many days ago; returns the key it goes by."""
    key = f"{days}:{read}:{state}"
    await news.tell(person, key=key)
    # The database itself refuses to rewrite these.
    await sql.execute(
        "ALTER TABLE notifications DISABLE TRIGGER USER;"
        f"UPDATE notifications SET created_at = now() - interval '{days} days',"
        f" read_at = CASE WHEN {read} THEN now() END WHERE dedupe_key = '{key}' AND user_id = '{person.id}';"
        "ALTER TABLE notifications ENABLE TRIGGER USER;"
        "ALTER TABLE notification_mails DISABLE TRIGGER USER;"
        f"UPDATE notification_mails SET state = '{state}' WHERE notification_id ="
        f" (SELECT id FROM notifications WHERE dedupe_key = '{key}' AND user_id = '{person.id}');"
        "ALTER TABLE notification_mails ENABLE TRIGGER USER"
    )
    return key


async def left(sql: Sql, person: Person) -> tuple[set[str], set[str]]:
    """What is left of notifications and of mails."""
    rows = await sql.rows(
        "SELECT n.dedupe_key, m.notification_id IS NOT NULL AS mailed FROM notifications n"
        " LEFT JOIN notification_mails m ON m.notification_id = n.id WHERE n.user_id = $1",
        UUID(person.id),
    )
    return {row["dedupe_key"] for row in rows}, {row["dedupe_key"] for row in rows if row["mailed"]}


async def test_read_ones_go_after_the_days_and_unread_ones_after_twice_as_many(news: Newsroom, sql: Sql) -> None:
    person = await news.reader()
    young, unread = await told(news, sql, person, 179), await told(news, sql, person, 359, read=False)
    waiting = await told(news, sql, person, 200, read=False, state="DUE")
    await told(news, sql, person, 181)
    await told(news, sql, person, 361, read=False)
    await pruning.prune_notifications.run(news.runtime)
    assert await left(sql, person) == ({young, unread, waiting}, {young, waiting})


async def test_batch_after_batch(news: Newsroom, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    person = await news.reader()
    for days in range(181, 186):
        await told(news, sql, person, days)
    await pruning.prune_notifications.run(news.runtime)
    assert await left(sql, person) == (set(), set())
