"""Keys, access tokens and cursors: what is signed, and what is refused."""

import base64
import json
import os
import stat
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest

from memi.platform.cursors import CursorSigner
from memi.platform.errors import InvalidCursor, InvalidToken
from memi.platform.keyring import KeyRing, load_key_ring
from memi.platform.permissions import Role
from memi.platform.principal import AccessTokens
from memi.platform.settings import ConfigurationError, Environment, Settings

ISSUER = "https://api.memi.az"
OLD, NEW = b"o" * 32, b"n" * 32


def now() -> datetime:
    return datetime.now(UTC)


def tokens(ring: KeyRing, issuer: str = ISSUER) -> AccessTokens:
    return AccessTokens(ring, issuer, 900)


def forged(ring: KeyRing, kid: str = "old", algorithm: str = "HS256", typ: str = "at+jwt", **changes: Any) -> str:
    """A token with the right key and wrong claims; a claim that is None is left out."""
    claims: dict[str, Any] = {
        "sub": str(uuid4()),
        "sid": str(uuid4()),
        "roles": ["USER"],
        "iat": now(),
        "exp": now() + timedelta(minutes=5),
        "iss": ISSUER,
        "aud": "memi",
        "jti": "1",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    key = ring.derive("access-token", kid) or b"x" * 32
    with warnings.catch_warnings(action="ignore"):  # the library warns that our key is short for HS512
        return jwt.encode(claims, "" if algorithm == "none" else key, algorithm, headers={"kid": kid, "typ": typ})


class TestAccessTokens:
    def test_say_who_calls(self) -> None:
        signer, user_id, session_id = tokens(KeyRing({"old": OLD})), uuid4(), uuid4()
        token, lifetime = signer.issue(user_id, session_id, frozenset({Role.USER, Role.ADMIN}), now())
        principal = signer.read(token)
        assert lifetime == 900
        assert (principal.user_id, principal.session_id) == (user_id, session_id)
        assert principal.roles == {Role.USER, Role.ADMIN}
        assert jwt.get_unverified_header(token)["kid"] == "old"

    @pytest.mark.parametrize(
        "changes",
        [
            {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
            {"exp": None},
            {"aud": "other"},
            {"aud": None},
            {"iss": "https://evil.example"},
            {"iss": None},
            {"sub": None},
            {"sub": "me"},
            {"sid": None},
            {"jti": None},
            {"iat": None},
            {"iat": datetime(2090, 1, 1, tzinfo=UTC)},
            {"roles": None},
            {"roles": ["KING"]},
            {"kid": "unknown"},
            {"typ": "JWT"},
            {"algorithm": "none"},
            {"algorithm": "HS512"},
        ],
        ids=str,
    )
    def test_refuse_what_is_wrong_with_the_right_key(self, changes: dict[str, Any]) -> None:
        ring = KeyRing({"old": OLD})
        tokens(ring).read(forged(ring))
        with pytest.raises(InvalidToken):
            tokens(ring).read(forged(ring, **changes))

    @pytest.mark.parametrize("token", ["", "a", "a.b.c", "." * 10, "é.é.é", "a" * 5000])
    def test_refuse_what_is_no_token(self, token: str) -> None:
        with pytest.raises(InvalidToken):
            tokens(KeyRing({"old": OLD})).read(token)

    def test_a_changed_payload_is_refused(self) -> None:
        ring = KeyRing({"old": OLD})
        head, _, signature = forged(ring).split(".")
        other = forged(ring, roles=["ADMIN"]).split(".")[1]
        with pytest.raises(InvalidToken):
            tokens(ring).read(f"{head}.{other}.{signature}")

    def test_keys_rotate(self) -> None:
        before, both, after = KeyRing({"old": OLD}), KeyRing({"new": NEW, "old": OLD}), KeyRing({"new": NEW})
        old_token, _ = tokens(before).issue(uuid4(), uuid4(), frozenset({Role.USER}), now())
        new_token, _ = tokens(both).issue(uuid4(), uuid4(), frozenset({Role.USER}), now())
        assert jwt.get_unverified_header(new_token)["kid"] == "new"
        for token in (old_token, new_token):
            tokens(both).read(token)
        tokens(after).read(new_token)
        with pytest.raises(InvalidToken):
            tokens(after).read(old_token)


class TestKeyRing:
    def test_each_purpose_has_its_own_key(self) -> None:
        ring = KeyRing({"old": OLD})
        assert len({ring.signing_key(purpose) for purpose in ("cursor", "access-token", "totp")}) == 3
        assert ring.derive("cursor", "unknown") is None

    @pytest.mark.parametrize(
        "text", ["", "{}", "[]", '{"a": 1}', '{"a": "not base64!"}', '{"a": "c2hvcnQ="}', '"x"', "null"]
    )
    def test_refuses_bad_rings_without_showing_them(self, text: str) -> None:
        settings = Settings(_env_file=None, env=Environment.TEST, key_ring=text)  # pyright: ignore[reportArgumentType]
        with pytest.raises(ConfigurationError) as refused:
            load_key_ring(settings)
        assert "c2hvcnQ" not in str(refused.value)

    def test_is_made_once_and_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        settings = Settings(_env_file=None, env=Environment.LOCAL, data_dir=tmp_path / "data")
        first = load_key_ring(settings)
        path = tmp_path / "data" / "keys.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert load_key_ring(settings).signing_key("x") == first.signing_key("x")
        assert [item.name for item in path.parent.iterdir()] == ["keys.json"]

    def test_two_starters_get_the_same_ring(self, tmp_path: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from memi.platform.keyring import load_key_ring\n"
            "from memi.platform.settings import Settings\n"
            "print(load_key_ring(Settings(_env_file=None, data_dir=Path(sys.argv[1]))).signing_key('x').hex())"
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMI_")}
        racing = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
            )
            for _ in range(4)
        ]
        printed = {process.communicate(timeout=60)[0] for process in racing}
        assert len(printed) == 1
        assert len(printed.pop().strip()) == 64


class TestCursors:
    SCOPE = "listings.newest"
    TYPES = (datetime, str, int)

    def test_give_back_what_they_were_given(self) -> None:
        signer, at = CursorSigner(OLD), now()
        cursor = signer.encode(self.SCOPE, at, "ə", 7)
        assert signer.decode(self.SCOPE, cursor, self.TYPES) == (at, "ə", 7)

    def test_each_changed_character_is_noticed(self) -> None:
        signer = CursorSigner(OLD)
        cursor = signer.encode(self.SCOPE, now(), "a", 7)
        for position in range(len(cursor) - 1):
            changed = cursor[:position] + ("A" if cursor[position] != "A" else "B") + cursor[position + 1 :]
            with pytest.raises(InvalidCursor):
                signer.decode(self.SCOPE, changed, self.TYPES)

    def test_another_collection_key_or_shape_is_refused(self) -> None:
        signer = CursorSigner(OLD)
        cursor = signer.encode(self.SCOPE, now(), "a", 7)
        for other, scope, types in (
            (signer, "listings.price", self.TYPES),
            (CursorSigner(NEW), self.SCOPE, self.TYPES),
            (signer, self.SCOPE, (int, str, int)),
            (signer, self.SCOPE, (datetime, str)),
        ):
            with pytest.raises(InvalidCursor):
                other.decode(scope, cursor, types)

    @pytest.mark.parametrize("cursor", ["", "x", "====", "é", "\0", "A" * 600, base64.b64encode(b"[1]").decode()])
    def test_garbage_is_refused(self, cursor: str) -> None:
        with pytest.raises(InvalidCursor):
            CursorSigner(OLD).decode(self.SCOPE, cursor, self.TYPES)


def test_a_ring_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    path.write_text(json.dumps({"a": base64.b64encode(OLD).decode()}))
    ring = load_key_ring(Settings(_env_file=None, env=Environment.TEST, key_ring_file=path))
    assert ring.signing_key("x") == KeyRing({"a": OLD}).signing_key("x")
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_key_ring(Settings(_env_file=None, env=Environment.TEST, key_ring_file=tmp_path / "absent.json"))
