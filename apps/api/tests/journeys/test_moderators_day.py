"""A moderator's day: three reports, a claim race, a removal with its reasons, an appeal, a restoration, a block, and a
look in somebody's place. The audit log has all of it and is what was written.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx

from memi.audit import checking
from memi.platform.embedded_postgres import EmbeddedUrls
from support.cases import Cases
from support.cases import cases as cases
from support.factors import enrol
from support.impersonating import REASON, act
from support.people import People, Person
from support.talks import talks as talks

RunJobs = Callable[[], Awaitable[None]]
COUNTERFEIT = "The label is not the maker's: counterfeits are against our rules."
GENUINE = "The receipt shows that it is genuine. We are sorry."
SCAM = "You asked buyers to pay before they had seen the item."


async def events(person: Person, cases: Cases) -> list[str]:
    return [item["event"] for item in await cases.told(person)]


async def test_a_moderators_day(
    cases: Cases, people: People, client: httpx.AsyncClient, run_jobs: RunJobs, database_urls: EmbeddedUrls
) -> None:
    first, second, admin = await people.moderator(), await people.moderator(), await people.admin()
    seller, swindler = await people.new("Murad"), await people.new("Rauf")
    leyla, nigar = await people.new("Leyla"), await people.new("Nigar")

    # Three reports: one item by two people, and what somebody wrote.
    item = await cases.new("LISTING", leyla, seller)
    item_too = await cases.again("LISTING", item.target, nigar, seller)
    message = await cases.new("MESSAGE", nigar, swindler)
    queue = (await first.get("/admin/reports")).json()["items"]
    assert [entry["id"] for entry in queue] == [item.id, item_too.id, message.id]
    assert [entry["reports_of_target"] for entry in queue] == [2, 2, 1]

    # Both want the first: one gets it.
    replies = await asyncio.gather(item.claim(first), item.claim(second))
    assert sorted(reply.status_code for reply in replies) == [200, 409]
    winner, loser = (first, second) if replies[0].status_code == 200 else (second, first)
    refused = await item.resolve(loser, "REMOVE_LISTING", COUNTERFEIT)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_claimed")

    # The item goes, its seller reads why, and both who reported it hear that something was done.
    assert (await item.resolve(winner, "REMOVE_LISTING", COUNTERFEIT)).status_code == 200
    assert (await client.get(f"/api/v1/listings/{item.target}")).status_code == 404
    await run_jobs()
    told = (await seller.get("/notifications")).json()["items"]
    decided = next(entry["data"] for entry in told if entry["event"] == "moderation.decided")
    assert (decided["statement"], decided["report_id"]) == (COUNTERFEIT, item.id)
    for reporter in (leyla, nigar):
        assert "report.resolved" in await events(reporter, cases)
        assert (await reporter.get("/reports")).json()["items"][-1]["outcome"] == "ACTION_TAKEN"

    # The seller appeals, once; whoever decided does not decide again.
    assert (
        await seller.post(f"/reports/{decided['report_id']}/appeal", {"text": "I have a receipt."})
    ).status_code == 201
    assert (await item.appeal(seller)).json()["code"] == "already_appealed"
    (appeal,) = (await loser.get("/admin/appeals")).json()["items"]
    overturn = {"decision": "OVERTURN", "statement": GENUINE}
    refused = await winner.post(f"/admin/appeals/{appeal['id']}/decide", overturn)
    assert (refused.status_code, refused.json()["code"]) == (403, "same_moderator")
    assert (await loser.post(f"/admin/appeals/{appeal['id']}/decide", overturn)).json()["restored"] is True
    assert (await client.get(f"/api/v1/listings/{item.target}")).json()["status"] == "ACTIVE"
    await run_jobs()
    assert "appeal.decided" in await events(seller, cases)
    assert "report.appeal_decided" in await events(leyla, cases)

    # The message is read for its report alone, and whoever wrote it is blocked: that needs a fresh proof.
    assert (await loser.get(f"/admin/reports/{message.id}/messages")).json()["code"] == "not_claimed"
    assert (await message.claim(loser)).status_code == 200
    said = (await loser.get(f"/admin/reports/{message.id}/messages")).json()["items"]
    assert said[0]["body"] == "Send the money first."
    assert (await message.resolve(loser, "BLOCK_USER", SCAM)).status_code == 200
    assert (await swindler.get("/users/me")).status_code == 401
    await run_jobs()
    assert "moderation.decided" in await events(swindler, cases)
    assert (await first.get("/admin/reports")).json()["items"] == []
    known = (await first.get(f"/admin/users/{swindler.id}/moderation")).json()
    assert (known["blocks"], known["reports_against"], known["is_blocked"]) == (1, 1, True)

    # Murad sees his item nowhere. To look as he does needs a second factor, and changes next to nothing.
    path = f"/admin/users/{seller.id}/impersonate"
    assert (await first.post(path, {"reason": REASON})).json()["code"] == "permission_denied"
    refused = await admin.post(path, {"reason": REASON})
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_enrolment_required")
    await enrol(admin, cases.sql)
    acts = await act(admin, seller)
    assert (await acts.them.get("/users/me")).json()["impersonated_by"] == admin.id
    (shown,) = (await acts.them.get("/users/me/listings")).json()["items"]
    assert (shown["id"], shown["status"]) == (item.target, "ACTIVE")
    for closed in (f"/listings/{item.target}/unpublish", "/auth/password/change", "/auth/mfa/totp/enrol"):
        assert (await acts.them.post(closed)).json()["code"] == "not_while_impersonating"
    assert (await acts.them.get("/chats")).json()["code"] == "not_while_impersonating"
    liked = (await leyla.get("/listings")).json()["items"][0]["id"]
    assert (await acts.them.put(f"/listings/{liked}/favorite")).status_code == 204
    assert (await admin.delete(f"/admin/impersonations/{acts.id}")).status_code == 204
    assert (await acts.them.get("/users/me")).status_code == 401
    await run_jobs()
    told = (await seller.get("/notifications")).json()["items"]
    assert told[0]["event"] == "account.impersonated"

    # The audit log has all of it, with who and why, and is what was written.
    entries = (await admin.get("/admin/audit?limit=100")).json()["items"]
    assert [(entry["action"], entry["actor_id"], entry["target_id"], entry["reason"]) for entry in entries[::-1]] == [
        ("report.claim", winner.id, item.id, None),
        ("listing.remove", winner.id, item.target, COUNTERFEIT),
        ("report.resolve", winner.id, item.id, COUNTERFEIT),
        ("listing.restore", loser.id, item.target, GENUINE),
        ("appeal.decide", loser.id, appeal["id"], GENUINE),
        ("report.claim", loser.id, message.id, None),
        ("chat.look", loser.id, message.chat, None),
        ("user.block", loser.id, swindler.id, SCAM),
        ("report.resolve", loser.id, message.id, SCAM),
        ("mfa.enrol", admin.id, admin.id, None),
        ("impersonation.begin", admin.id, seller.id, REASON),
        ("impersonation.write", seller.id, seller.id, None),
        ("impersonation.end", admin.id, seller.id, None),
    ]
    assert [entry["impersonator_id"] for entry in entries if entry["action"] == "impersonation.write"] == [admin.id]
    assert (await checking.check(database_urls.app, [], lambda done, total: None)).head.seq == len(entries)
    settled = json.dumps(entries)
    assert item_too.id in settled
    assert "Send the money first." not in settled
    rows = await cases.sql.rows("SELECT DISTINCT status FROM reports WHERE id = ANY ($1)", [
        UUID(case.id) for case in (item, item_too, message)
    ])  # fmt: skip
    assert [row["status"] for row in rows] == ["RESOLVED"]
