"""Where an embedded PostgreSQL keeps its files, and as which operating-system user it runs.

A data folder holds what is the caller's (credentials, port, log, lock) and beside it `cluster/`, PostgreSQL's own.
PostgreSQL refuses to run as root, so root runs it as `nobody`; `cluster/` then has to lie where `nobody` can reach it.
No permission of an existing folder is ever changed for that: an unreachable data folder holds a pointer, `location`.
"""

import json
import logging
import os
import pwd
import secrets
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

_log = logging.getLogger(__name__)

# Root's folders that `nobody` can normally reach; the first one that can be used safely is taken.
_REACHABLE_ROOTS = (Path("/var/lib/memi"), Path("/var/tmp/memi-root"))  # noqa: S108 - its owner is checked before use


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be prepared, started or reached; the message says what to do."""


@dataclass(frozen=True)
class Identity:
    """The operating-system user that owns the cluster and runs its server."""

    uid: int
    gid: int

    @property
    def is_caller(self) -> bool:
        return self.uid == os.geteuid()


@dataclass(frozen=True)
class Credentials:
    """Passwords of the three database roles: hexadecimal, so safe in a URL and in an SQL literal."""

    superuser: str
    migrator: str
    app: str

    @staticmethod
    def generate() -> "Credentials":
        return Credentials(secrets.token_hex(24), secrets.token_hex(24), secrets.token_hex(24))


class LastRun(TypedDict, total=False):
    """What the last start left for the next one."""

    port: int
    postmaster: int


def run_as(identity: Identity, command: list[str], *, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command as `identity`, from `/` because the caller's own folder may be closed to it.

    Raises EmbeddedPostgresError when the process may not change its user, TimeoutExpired after `timeout` seconds.
    """
    try:
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=clean_environment(),
            timeout=timeout,
            user=None if identity.is_caller else identity.uid,
            group=None if identity.is_caller else identity.gid,
            extra_groups=None if identity.is_caller else [],
        )
    except PermissionError as error:
        raise EmbeddedPostgresError(f"cannot run {command[0]} as user id {identity.uid}: {error}") from error


def clean_environment() -> dict[str, str]:
    """An environment in which no PG* variable of the caller changes which server is meant or how it behaves."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def choose_identity(cluster: Path) -> Identity:
    """Who runs the server: the caller, or for root the owner of an existing cluster, else `nobody`."""
    caller = os.geteuid()
    owner = cluster.stat() if cluster.is_dir() else None
    if caller != 0:
        if owner is not None and owner.st_uid != caller:
            raise EmbeddedPostgresError(f"{cluster} belongs to user id {owner.st_uid}; start memi as that user")
        return Identity(caller, os.getegid())
    if owner is not None and owner.st_uid != 0:
        return Identity(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedPostgresError("PostgreSQL cannot run as root and there is no user `nobody`") from error
    return Identity(nobody.pw_uid, nobody.pw_gid)


def prepare_data_dir(data_dir: Path) -> None:
    """Create the data folder if it is absent; refuse one that belongs to somebody else."""
    if not data_dir.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        # Ours alone to set: it was not there before. Root's server user must pass through it, nobody may list it.
        data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    elif os.geteuid() not in (0, data_dir.stat().st_uid):
        raise EmbeddedPostgresError(f"{data_dir} belongs to another user; choose another data folder")


def find_home(data_dir: Path) -> Path:
    """The folder that holds `cluster/`: the data folder, or the place its pointer names."""
    pointer = data_dir / "location"
    if not pointer.exists():
        return data_dir
    home = Path(pointer.read_text(encoding="utf-8").strip())
    if not home.is_dir():
        raise EmbeddedPostgresError(
            f"the database named by {pointer} is gone: {home}; delete the pointer to start empty"
        )
    return home


def ensure_home(data_dir: Path, identity: Identity) -> Path:
    """The folder for `cluster/`, moved out of the data folder the first time if the server's user cannot reach that."""
    home = find_home(data_dir)
    if identity.is_caller or can_enter(identity, home):
        return home
    if home != data_dir or (home / "cluster").exists():
        raise EmbeddedPostgresError(f"user id {identity.uid} can no longer reach {home}, where its database is")
    # Not named after the data folder: a folder deleted and made anew must not find its predecessor's data.
    new = reachable_folder(identity, "clusters") / secrets.token_hex(8)
    new.mkdir()
    new.chmod(0o711)
    write_private(new / "origin", f"{data_dir}\n")
    write_private(data_dir / "location", f"{new}\n")
    _log.warning("%s is closed to PostgreSQL's user: the database is kept in %s", data_dir, new)
    return new


def can_enter(identity: Identity, folder: Path) -> bool:
    """Whether `identity` may pass through `folder`; asked of the system itself, which also knows ACLs and mounts."""
    return run_as(identity, ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], timeout=10).returncode == 0


def reachable_folder(identity: Identity, name: str) -> Path:
    """A folder of root's, mode 0755, that `identity` can enter and nobody else can write to."""
    tried: list[str] = []
    for root in _REACHABLE_ROOTS:
        folder = root / name
        try:
            for part in (root, folder):
                if not part.is_symlink() and not part.exists():
                    part.mkdir()
                    part.chmod(0o755)
        except OSError as error:
            tried.append(f"{folder}: {error.strerror}")
            continue
        if all(_is_roots_alone(part) for part in (root, folder)) and can_enter(identity, folder):
            return folder
        tried.append(f"{folder}: not root's alone, or closed to user id {identity.uid}")
    raise EmbeddedPostgresError("no folder that PostgreSQL's user can reach: " + "; ".join(tried))


def _is_roots_alone(folder: Path) -> bool:
    info = folder.lstat()
    return stat.S_ISDIR(info.st_mode) and info.st_uid == 0 and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def write_private(path: Path, text: str) -> None:
    """Replace a file whole and durably, mode 0600, owned like the folder it is in."""
    folder = path.parent.stat()
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames within a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_credentials(data_dir: Path) -> Credentials | None:
    """The stored passwords, None before the first start. EmbeddedPostgresError if the file is damaged."""
    path = data_dir / "credentials.json"
    if not path.exists():
        return None
    try:
        stored = cast("dict[str, str]", json.loads(path.read_text(encoding="utf-8")))
        return Credentials(stored["superuser"], stored["migrator"], stored["app"])
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedPostgresError(f"{path} is damaged; restore it from a backup") from error


def write_credentials(data_dir: Path, credentials: Credentials) -> None:
    fields = {"superuser": credentials.superuser, "migrator": credentials.migrator, "app": credentials.app}
    write_private(data_dir / "credentials.json", json.dumps(fields, indent=2) + "\n")


def read_last_run(data_dir: Path) -> LastRun:
    """What the last start noted; empty when there was none or the note is unreadable (it is only a preference)."""
    try:
        return cast("LastRun", json.loads((data_dir / "last_run.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def write_last_run(data_dir: Path, last_run: LastRun) -> None:
    write_private(data_dir / "last_run.json", json.dumps(last_run) + "\n")
