"""`memi createadmin`: the first member of staff, who then appoints others."""

import asyncio
import sys
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from memi import wiring
from memi.auth.passwords import PasswordHasher
from memi.auth.schemas import Registration
from memi.cli.database import open_database
from memi.cli.errors import BadUsage
from memi.platform import clock
from memi.platform.permissions import STAFF, Role
from memi.platform.settings import Settings, load_settings
from memi.users import service as users


def createadmin(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    password_stdin: Annotated[bool, typer.Option(help="Read the password from the first line of input.")] = False,
    role: Annotated[Role, typer.Option(help="ADMIN, MODERATOR or CHAT_INSPECTOR.")] = Role.ADMIN,
) -> None:
    """Make a staff account, or give an existing account the role; an existing password stays as it is."""
    if role not in STAFF:
        raise BadUsage(f"--role must be one of {', '.join(sorted(STAFF))}")
    settings = load_settings()
    with open_database(settings) as urls:
        made = asyncio.run(_appoint(settings, urls.app, email, role, password_stdin))
    print(f"{email.lower()} {'was made' if made else 'exists already'} and is {role}.")
    if settings.require_staff_mfa or settings.require_user_mfa:
        print("Staff need a second factor: until this account has one, signing in lets it set one up and nothing else.")


async def _appoint(settings: Settings, database_url: str, email: str, role: Role, password_stdin: bool) -> bool:
    async with wiring.open_runtime(settings, database_url) as runtime:
        async with runtime.unit_of_work() as session:
            known = await users.find_by_email(session, email)
            if known is not None:
                await users.grant_role(session, known.id, role)
                return False
        account = _checked(email, _ask_password(password_stdin))
        hashed = await runtime.adapters.get(PasswordHasher).hash(account.password.get_secret_value())
        async with runtime.unit_of_work() as session:
            await users.create(
                session,
                email=account.email,
                name=account.name,
                password_hash=hashed,
                roles=(Role.USER, role),
                verified_at=clock.now(),
            )
    return True


def _ask_password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _checked(email: str, password: str) -> Registration:
    """The rules of registering hold here too."""
    # As a secret, so that it is taken exactly as typed.
    account = {"email": email, "name": email.partition("@")[0][:80], "password": SecretStr(password)}
    try:
        return Registration.model_validate(account)
    except ValidationError as error:
        problems = [f"{item['loc'][0]}: {item['msg']}" for item in error.errors(include_url=False, include_input=False)]
        raise BadUsage("\n".join(problems)) from None
