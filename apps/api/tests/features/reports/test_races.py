"""Moderators, owners and people at once: one outcome, and nothing in between."""

import asyncio
from collections import Counter
from uuid import UUID

from support.cases import Cases
from support.people import People

ROUNDS = 5


async def test_of_many_who_claim_one_does(cases: Cases, people: People) -> None:
    moderators = [await people.moderator() for _ in range(5)]
    for _ in range(ROUNDS):
        case = await cases.new()
        replies = await asyncio.gather(*(case.claim(person) for person in moderators))
        assert Counter(reply.status_code for reply in replies) == {200: 1, 409: 4}
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"report_claimed"}
        winner = next(reply.json()["claimed_by"] for reply in replies if reply.status_code == 200)
        assert str((await cases.row(case))["claimed_by"]) == winner
        assert await cases.audited(case.id) == ["report.claim"]


async def test_resolved_twice_it_is_decided_once(cases: Cases, people: People) -> None:
    moderator = await people.moderator()
    for _ in range(ROUNDS):
        case = await cases.new()
        assert (await case.claim(moderator)).status_code == 200
        replies = await asyncio.gather(
            case.resolve(moderator, "REMOVE_LISTING"),
            case.resolve(moderator, "DISMISS"),
            case.resolve(moderator, "REMOVE_LISTING"),
        )
        assert Counter(reply.status_code for reply in replies) == {200: 1, 409: 2}
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"report_resolved"}
        action = next(reply.json()["decision"]["action"] for reply in replies if reply.status_code == 200)
        assert await cases.listing_status(case) == ("ACTIVE" if action == "DISMISS" else "REMOVED")
        assert await cases.audited(case.id) == ["report.claim", "report.resolve"]


async def test_two_moderators_and_reports_of_one_thing(cases: Cases, people: People) -> None:
    first, second = await people.moderator(), await people.moderator()
    for _ in range(ROUNDS):
        one = await cases.new()
        other = await cases.again("LISTING", one.target, await people.new(), one.subject)
        assert (await one.claim(first)).status_code == 200
        assert (await other.claim(second)).status_code == 200
        replies = await asyncio.gather(one.resolve(first, "REMOVE_LISTING"), other.resolve(second, "REMOVE_LISTING"))
        assert sorted(reply.status_code for reply in replies) == [200, 409]
        rows = [await cases.row(case) for case in (one, other)]
        assert rows[0]["decision_id"] == rows[1]["decision_id"] is not None
        assert await cases.audited(one.target) == ["listing.remove"]


async def test_two_moderators_who_block_one_person(cases: Cases, people: People) -> None:
    first, second = await people.moderator(), await people.moderator()
    for _ in range(ROUNDS):
        one = await cases.new()
        other = await cases.new("CHAT", subject=one.subject)
        assert (await one.claim(first)).status_code == 200
        assert (await other.claim(second)).status_code == 200
        replies = await asyncio.gather(one.resolve(first, "BLOCK_USER"), other.resolve(second, "BLOCK_USER"))
        assert sorted(reply.status_code for reply in replies) == [200, 409]
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"already_blocked"}
        assert await cases.audited(one.subject.id) == ["user.block"]


async def test_a_removal_against_the_owners_deletion(cases: Cases, people: People) -> None:
    moderator = await people.moderator()
    for _ in range(ROUNDS):
        case = await cases.new()
        assert (await case.claim(moderator)).status_code == 200
        resolved, deleted = await asyncio.gather(
            case.resolve(moderator, "REMOVE_LISTING"), case.subject.delete(f"/listings/{case.target}")
        )
        if resolved.status_code == 200:
            assert deleted.status_code == 409
            assert (await cases.listing_status(case), (await cases.row(case))["status"]) == ("REMOVED", "RESOLVED")
        else:
            assert (resolved.status_code, resolved.json()["code"]) == (409, "illegal_transition")
            assert deleted.status_code < 300
            assert (await cases.listing_status(case), (await cases.row(case))["status"]) == ("DELETED", "OPEN")
            assert (await case.resolve(moderator, "WARN_USER")).status_code == 200


async def test_a_block_against_the_persons_own_deletion(cases: Cases, people: People) -> None:
    moderator = await people.moderator()
    for _ in range(ROUNDS):
        case = await cases.new("USER")
        assert (await case.claim(moderator)).status_code == 200
        resolved, deleted = await asyncio.gather(
            case.resolve(moderator, "BLOCK_USER"), case.subject.delete("/users/me")
        )
        gone = await cases.sql.value("SELECT deleted_at IS NOT NULL FROM users WHERE id = $1", UUID(case.subject.id))
        assert gone == (deleted.status_code == 204)
        assert await cases.is_blocked(case.subject) == (resolved.status_code == 200)
        if resolved.status_code != 200:
            assert (resolved.json()["code"], (await cases.row(case))["status"]) == ("target_gone", "OPEN")


async def test_a_closing_against_messages(cases: Cases, people: People) -> None:
    """What is acknowledged was sent before; after the closing nothing is."""
    moderator = await people.moderator()
    for _ in range(ROUNDS):
        case = await cases.new("CHAT")
        assert (await case.claim(moderator)).status_code == 200
        path = f"/chats/{case.chat}/messages"
        closed, *sent = await asyncio.gather(
            case.resolve(moderator, "CLOSE_CHAT"), *(case.subject.post(path, {"body": str(n)}) for n in range(6))
        )
        assert closed.status_code == 200
        assert {reply.status_code for reply in sent} <= {201, 409}
        stored = await cases.sql.value("SELECT last_seq FROM chats WHERE id = $1", UUID(case.target))
        assert stored == 2 + sum(reply.status_code == 201 for reply in sent)
        assert (await case.subject.post(path, {"body": "late"})).json()["code"] == "chat_closed"


async def test_appealed_with_many_hands(cases: Cases, people: People) -> None:
    for _ in range(ROUNDS):
        case = await cases.new()
        await case.decided(await people.moderator(), "REMOVE_LISTING")
        before = await cases.count("moderation_appeals")
        replies = await asyncio.gather(*(case.appeal(case.subject) for _ in range(5)))
        assert Counter(reply.status_code for reply in replies) == {201: 1, 409: 4}
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"already_appealed"}
        assert await cases.count("moderation_appeals") == before + 1


async def test_an_appeal_that_two_decide(cases: Cases, people: People) -> None:
    moderator, first, second = await people.moderator(), await people.moderator(), await people.moderator()
    for _ in range(ROUNDS):
        case = await cases.new()
        await case.decided(moderator, "REMOVE_LISTING")
        path = f"/admin/appeals/{await case.appealed()}/decide"
        replies = await asyncio.gather(
            first.post(path, {"decision": "OVERTURN", "statement": "It is genuine."}),
            second.post(path, {"decision": "UPHOLD", "statement": "It is not."}),
        )
        assert sorted(reply.status_code for reply in replies) == [200, 409]
        status = next(reply.json()["status"] for reply in replies if reply.status_code == 200)
        assert await cases.listing_status(case) == ("ACTIVE" if status == "OVERTURNED" else "REMOVED")
