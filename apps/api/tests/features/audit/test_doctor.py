"""`memi doctor`: what an operator hears, and by which exit code."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import pytest

from memi.audit.chain import anchors_in
from memi.platform.embedded_postgres import EmbeddedUrls
from support.audit_log import Log, audit_log
from support.service import environment, free_port, memi

OLD_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NEW_KEY = "HB0eHxscGRobGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwI="


@pytest.fixture
async def log(server: EmbeddedUrls, template: str) -> AsyncIterator[Log]:
    async with audit_log(server, template) as opened:
        yield opened


class Doctor:
    def __init__(self, log: Log, folder: Path) -> None:
        self.folder = folder
        self.settings = {"MEMI_DATABASE_URL": log.urls.app, "MEMI_KEY_RING": json.dumps({"old": OLD_KEY})}

    async def asked(self, *arguments: str, **more: str) -> CompletedProcess[str]:
        env = {**environment(self.folder / "data", free_port(), **self.settings), **more}
        return await anyio.to_thread.run_sync(lambda: memi("doctor", *arguments, env=env, cwd=self.folder))


@pytest.fixture
def doctor(log: Log, tmp_path: Path) -> Doctor:
    return Doctor(log, tmp_path)


def states(said: str) -> dict[str, str]:
    """What was found of each thing, by name."""
    lines = [line for line in said.splitlines() if line.startswith(("ok ", "warning ", "failed "))]
    return {line[9:23].strip(): line[:8].strip() for line in lines}


class TestEverything:
    async def test_says_that_all_is_well(self, doctor: Doctor) -> None:
        found = await doctor.asked()
        assert found.returncode == 0, found.stdout + found.stderr
        named = states(found.stdout)
        assert set(named) >= {"configuration", "keys", "database", "migrations", "rights", "audit log"}
        assert set(named) >= {"storage", "mail", "limits", "jobs"}
        assert set(named.values()) == {"ok"}
        assert found.stdout.endswith("memi is well.\n")
        left = [path for path in (doctor.folder / "data").rglob("*") if path.is_file()]
        assert left == [], "it leaves nothing behind"

    async def test_names_what_does_not_answer_and_what_helps(self, doctor: Doctor) -> None:
        found = await doctor.asked(
            MEMI_SMTP_URL=f"smtp://127.0.0.1:{free_port()}", MEMI_VALKEY_URL=f"valkey://127.0.0.1:{free_port()}"
        )
        named = states(found.stdout)
        assert {name for name, state in named.items() if state == "failed"} == {"mail", "limits"}
        assert (found.returncode, found.stderr) == (1, "memi: mail, limits failed\n")
        assert "MEMI_SMTP_URL" in found.stdout
        assert "MEMI_VALKEY_URL" in found.stdout

    async def test_a_database_that_is_not_there(self, doctor: Doctor) -> None:
        found = await doctor.asked(MEMI_DATABASE_URL=f"postgresql://me:hunter2@127.0.0.1:{free_port()}/memi")
        assert (found.returncode, states(found.stdout)["database"]) == (1, "failed")
        assert "hunter2" not in found.stdout + found.stderr

    async def test_none_at_all(self, doctor: Doctor) -> None:
        del doctor.settings["MEMI_DATABASE_URL"]
        found = await doctor.asked()
        assert (found.returncode, states(found.stdout)["database"]) == (1, "failed")
        assert "memi up" in found.stdout
        assert not (doctor.folder / "data" / "postgres").exists()

    async def test_a_schema_that_is_not_the_present_one(self, doctor: Doctor, log: Log) -> None:
        await log.superuser.execute("UPDATE alembic_version SET version_num = '0020_usage'")
        found = await doctor.asked()
        assert (found.returncode, states(found.stdout)["migrations"]) == (1, "failed")
        assert "memi migrate" in found.stdout

    async def test_a_wrong_configuration(self, doctor: Doctor) -> None:
        found = await doctor.asked(MEMI_KEY_RING="nonsense")
        assert (found.returncode, states(found.stdout)) == (1, {"configuration": "failed"})

    async def test_keys_that_others_may_read(self, doctor: Doctor) -> None:
        del doctor.settings["MEMI_KEY_RING"]
        await doctor.asked()
        keys = doctor.folder / "data" / "keys.json"
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        keys.chmod(0o644)
        found = await doctor.asked()
        assert (found.returncode, states(found.stdout)["keys"]) == (0, "warning")

    async def test_a_service_that_owns_what_it_may_only_add_to(self, doctor: Doctor, log: Log) -> None:
        found = await doctor.asked(MEMI_DATABASE_URL=log.urls.migrator)
        assert (found.returncode, states(found.stdout)["rights"]) == (0, "warning")

    async def test_guards_that_were_taken_away(self, doctor: Doctor, log: Log) -> None:
        await log.superuser.execute("ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only")
        found = await doctor.asked()
        assert (found.returncode, states(found.stdout)["audit log"]) == (1, "failed")
        assert "audit_log.audit_log_append_only" in found.stdout
        followed = await doctor.asked("--audit")
        assert followed.returncode == 1
        assert "audit_log.audit_log_append_only" in followed.stderr

    @pytest.mark.parametrize(
        ("table", "guard"),
        [("messages", "messages_lose_only_words"), ("messages", "messages_are_kept"), ("users", "users_stay_erased")],
    )
    async def test_guards_of_what_entries_are_needed_for(
        self, doctor: Doctor, log: Log, table: str, guard: str
    ) -> None:
        await log.superuser.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
        found = await doctor.asked()
        assert (found.returncode, states(found.stdout)["audit log"]) == (1, "failed")
        assert f"{table}.{guard}" in found.stdout

    async def test_jobs_that_nobody_runs(self, doctor: Doctor, log: Log) -> None:
        await log.superuser.execute(
            "INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, status)"
            " VALUES (0, 'a.job', NULL, now() - interval '1 hour', 'queued')"
        )
        found = await doctor.asked()
        assert (found.returncode, states(found.stdout)["jobs"]) == (0, "warning")


class TestAudit:
    async def test_a_log_that_is_what_was_written(self, doctor: Doctor, log: Log) -> None:
        await log.add(3)
        found = await doctor.asked("--audit")
        assert found.returncode == 0, found.stderr
        assert "3 entries" in found.stdout
        (anchor,) = anchors_in([found.stdout])
        assert (anchor.seq, anchor.kid) == (3, "old")

    async def test_names_the_first_entry_that_is_not(self, doctor: Doctor, log: Log) -> None:
        await log.add(5)
        await log.tamper(
            "UPDATE audit_log SET action = E'a\\x1b[31m' WHERE chain_seq = 4",
            "DELETE FROM audit_log WHERE chain_seq = 5",
        )
        found = await doctor.asked("--audit")
        assert (found.returncode, "entry 4 (" in found.stderr) == (1, True)
        assert "\x1b[31m" not in found.stderr

    async def test_an_anchor_finds_what_was_made_anew(self, doctor: Doctor, log: Log) -> None:
        await log.add(3)
        kept = doctor.folder / "kept.log"
        kept.write_text("noise\n" + (await doctor.asked("--audit")).stdout)
        await log.add(1)
        assert (await doctor.asked("--audit", "--anchor", str(kept))).returncode == 0
        await log.tamper("UPDATE audit_log SET reason = 'other' WHERE chain_seq = 2")
        await log.forge(2)
        assert (await doctor.asked("--audit")).returncode == 0
        found = await doctor.asked("--audit", "--anchor", str(kept))
        assert (found.returncode, "entry 3 or one before it" in found.stderr) == (1, True)

    async def test_an_anchor_outlives_its_key_by_being_left_out(self, doctor: Doctor, log: Log) -> None:
        await log.add(1)
        kept = doctor.folder / "kept.log"
        kept.write_text((await doctor.asked("--audit")).stdout)
        both = json.dumps({"new": NEW_KEY, "old": OLD_KEY})
        assert (await doctor.asked("--audit", "--anchor", str(kept), MEMI_KEY_RING=both)).returncode == 0
        gone = await doctor.asked("--audit", "--anchor", str(kept), MEMI_KEY_RING=json.dumps({"new": NEW_KEY}))
        assert (gone.returncode, "has left the ring" in gone.stderr) == (1, True)
        forged = json.dumps({"old": NEW_KEY})
        refused = await doctor.asked("--audit", "--anchor", str(kept), MEMI_KEY_RING=forged)
        assert (refused.returncode, "was not signed" in refused.stderr) == (1, True)

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [(("--anchor", "x"), 2), (("--audit", "--anchor", "none.log"), 2), (("--audit", "--anchor", "empty.log"), 1)],
    )
    async def test_what_makes_no_sense(self, doctor: Doctor, arguments: tuple[str, ...], code: int) -> None:
        (doctor.folder / "empty.log").write_text("nothing\n")
        assert (await doctor.asked(*arguments)).returncode == code
