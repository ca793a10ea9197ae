"""The four accounts everyone can try a local memi with."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from memi.auth.passwords import PasswordHasher
from memi.platform import clock
from memi.platform.permissions import Role
from memi.platform.runtime import Runtime
from memi.users import service as users


@dataclass(frozen=True)
class DemoLogin:
    email: str
    name: str
    roles: tuple[Role, ...]


SELLER = DemoLogin("seller@memi.example", "Aysel Məmmədova", (Role.USER, Role.SELLER))
BUYER = DemoLogin("buyer@memi.example", "Rəşad Quliyev", (Role.USER,))
MODERATOR = DemoLogin("moderator@memi.example", "Nigar (moderator)", (Role.USER, Role.MODERATOR))
ADMIN = DemoLogin("admin@memi.example", "Elçin (admin)", (Role.USER, Role.ADMIN))
LOGINS = (SELLER, BUYER, MODERATOR, ADMIN)


def password_path(data_dir: Path) -> Path:
    return data_dir / "demo-password"


def demo_password(data_dir: Path) -> str:
    """The password of the demo logins of this data folder; made, readable to its owner only, the first time."""
    path = password_path(data_dir)
    if not path.exists():
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(12))
        temporary.rename(path)
    return path.read_text().strip()


async def ensure_logins(runtime: Runtime, password: str) -> None:
    """Make the demo accounts that are missing, and have all of them open with `password`."""
    hasher = runtime.adapters.get(PasswordHasher)
    async with runtime.unit_of_work() as session:
        for login in LOGINS:
            user = await users.find_by_email(session, login.email)
            if user is None:
                await users.create(
                    session,
                    email=login.email,
                    name=login.name,
                    password_hash=await hasher.hash(password),
                    city="BAKU",
                    roles=login.roles,
                    verified_at=clock.now(),
                )
            elif not (await hasher.verify(password, user.password_hash))[0]:
                await users.set_password_hash(session, user.id, await hasher.hash(password))
