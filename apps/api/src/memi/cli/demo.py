"""`memi demo`: the main job of the product, played against a running service."""

import asyncio
from typing import Annotated

import httpx
import typer

from memi.cli.errors import BadUsage, CommandFailed
from memi.demo.logins import MODERATOR, password_path
from memi.demo.main_job import MainJob, StepFailed
from memi.platform.settings import Settings, load_settings


def demo(
    url: Annotated[str | None, typer.Option(help="The service to call; by default the one configured here.")] = None,
    password: Annotated[
        str | None,
        typer.Option(envvar="DEMO_PASSWORD", help=f"Password of {MODERATOR.email}; by default this data folder's."),
    ] = None,
) -> None:
    """List, find, chat, reserve, sell and moderate as new users would; fails at the first wrong answer."""
    settings = load_settings()
    base = (url or settings.base_url).rstrip("/")
    try:
        asyncio.run(_play(base, password or _stored_password(settings)))
    except StepFailed as failure:
        raise CommandFailed(f"the demo failed at this step: {failure}") from None
    print("The main job works.")


async def _play(base: str, password: str) -> None:
    async with httpx.AsyncClient(base_url=base, timeout=30) as http:
        await MainJob(http, password, _print_step).play()


def _print_step(title: str, milliseconds: float, wrong: str | None) -> None:
    print(f"  {'✓' if wrong is None else '✗'} {title}  ({milliseconds:.0f} ms)", flush=True)


def _stored_password(settings: Settings) -> str:
    path = password_path(settings.data_dir)
    try:
        return path.read_text().strip()
    except OSError:
        raise BadUsage(f"there is no {path}: give --password, or MEMI_DATA_DIR of the running service") from None
