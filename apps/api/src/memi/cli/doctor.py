"""`memi doctor`: whether everything is as it should be, and whether the audit log is what was written."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from memi.audit import checking
from memi.audit.chain import Anchor, Broken, anchor_of, anchors_in, is_genuine
from memi.cli import doctor_checks
from memi.cli.configuration import settings_to_run
from memi.cli.database import open_database
from memi.cli.doctor_checks import Finding
from memi.cli.errors import BadUsage, CommandFailed, complain
from memi.platform.keyring import KeyRing, load_key_ring
from memi.platform.postgres_files import EmbeddedPostgresError
from memi.platform.settings import ConfigurationError, Settings


def doctor(
    audit: Annotated[bool, typer.Option("--audit", help="Follow the audit log's chain from its first entry.")] = False,
    anchor: Annotated[
        Path | None,
        typer.Option(help="With --audit: a file with anchors printed or logged before, such as an old log."),
    ] = None,
) -> None:
    """Check the configuration, the database and all that memi works with; exit code 1 when something failed."""
    if anchor is not None and not audit:
        raise BadUsage("--anchor goes with --audit")
    if audit:
        _follow_log(settings_to_run(), anchor)
        return
    failed = [finding.subject for finding in _examine() if finding.state == "failed"]
    if failed:
        raise CommandFailed(f"{', '.join(failed)} failed")
    print("memi is well.")


def _examine() -> list[Finding]:
    try:
        settings = settings_to_run()
        found = [_show(Finding("configuration", "ok", f"{settings.env}, {settings.base_url}"))]
        found.append(_show(doctor_checks.keys(settings)))
    except ConfigurationError as error:
        advice = "Every setting is described in .env.example."
        return [_show(Finding("configuration", "failed", str(error).replace("\n", "; "), advice))]
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        nothing = f"there is none in {settings.data_dir.absolute()}"
        return [*found, _show(Finding("database", "failed", nothing, "`memi up` makes it."))]
    try:
        with open_database(settings) as urls:
            return [*found, *asyncio.run(_run(settings, urls.app))]
    except EmbeddedPostgresError as error:
        return [*found, _show(Finding("database", "failed", str(error), "Is another memi starting or stopping?"))]


async def _run(settings: Settings, url: str) -> list[Finding]:
    return [_show(finding) async for finding in doctor_checks.everything(settings, url)]


def _show(finding: Finding) -> Finding:
    print(f"{finding.state:<8} {finding.subject:<14} {finding.said}")
    if finding.advice is not None:
        print(f"{'':<23} {finding.advice}")
    return finding


def _follow_log(settings: Settings, file: Path | None) -> None:
    ring = load_key_ring(settings)
    anchors = [] if file is None else _anchors_of(file, ring)
    with open_database(settings) as urls, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("audit log", total=None)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        try:
            checked = asyncio.run(checking.check(urls.app, anchors, on_progress))
        except Broken as broken:
            raise CommandFailed(_printable(f"the audit log was tampered with: {broken}")) from None
    known = f", and fit the anchors ({len(anchors)})" if anchors else ""
    print(f"The audit log is what was written: {checked.head.seq} entries follow from each other{known}.")
    print(f"Keep this line where whoever rules the database cannot change it:\n{anchor_of(checked.head, ring)}")
    if checked.sleeping:
        complain(doctor_checks.GUARDS_ADVICE)
        raise CommandFailed(f"the audit log is without its guards {', '.join(checked.sleeping)}")


def _anchors_of(file: Path, ring: KeyRing) -> list[Anchor]:
    """Those that a key of the ring signed; there must be one, or the comparison would say nothing."""
    try:
        with file.open(errors="replace") as lines:
            found = anchors_in(lines)
    except OSError as error:
        raise BadUsage(f"cannot read {file}: {error.strerror}") from None
    genuine = [anchor for anchor in found if is_genuine(anchor, ring)]
    for anchor in found:
        if is_genuine(anchor, ring) is False:
            raise CommandFailed(f"the anchor of entry {anchor.seq} in {file} was not signed by key {anchor.kid}")
        if anchor not in genuine:
            complain(f"the anchor of entry {anchor.seq} is left out: its key {anchor.kid} has left the ring")
    if not genuine:
        raise CommandFailed(f"{file} holds no anchor that a key of the ring signed")
    return genuine


def _printable(text: str) -> str:
    """Whoever tampered may have written for the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
