"""Settings, logs, ETags and the words in which wrong requests are described."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
import structlog
from pydantic import Field

from memi.platform.errors import ValidationFailed
from memi.platform.etags import etag, is_unchanged
from memi.platform.logging import REDACTED, configure_logging, redact
from memi.platform.settings import ConfigurationError, Environment, Settings, load_settings
from memi.platform.validation import RequestModel, parse, parse_query, pointer

PRODUCTION = {
    "MEMI_ENV": "production",
    "MEMI_DATABASE_URL": "postgresql://memi@db/memi",
    "MEMI_PUBLIC_URL": "https://api.memi.az",
    "MEMI_WEB_URL": "https://memi.az",
    "MEMI_KEY_RING_FILE": "keys.json",
    "MEMI_SMTP_URL": "smtps://mail.memi.az",
    "MEMI_REQUIRE_VERIFIED_EMAIL": "true",
    "MEMI_REQUIRE_STAFF_MFA": "true",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    return monkeypatch


class TestSettings:
    def test_an_unknown_key_stops_the_start(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("MEMI_DATABSE_URL", "x")
        with pytest.raises(ConfigurationError, match="MEMI_DATABSE_URL: unknown setting"):
            load_settings()

    def test_every_wrong_key_is_named_at_once_and_no_value_is_shown(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("MEMI_PORT", "hunter2")
        environment.setenv("MEMI_LOG_LEVEL", "LOUD")
        environment.setenv("MEMI_NOPE", "1")
        with pytest.raises(ConfigurationError) as refused:
            load_settings()
        lines = str(refused.value).splitlines()
        assert {line.partition(":")[0] for line in lines} == {"MEMI_PORT", "MEMI_LOG_LEVEL", "MEMI_NOPE"}
        assert "hunter2" not in str(refused.value)

    def test_lists_are_separated_by_commas(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("MEMI_WEB_ORIGINS", "https://memi.az, http://localhost:3000,")
        assert load_settings().web_origins == ("https://memi.az", "http://localhost:3000")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("MEMI_PUBLIC_URL", "api.memi.az"),
            ("MEMI_PUBLIC_URL", "https://me:hunter2@api.memi.az"),
            ("MEMI_WEB_URL", "ftp://memi.az"),
            ("MEMI_WEB_URL", "https://memi.az/#"),
            ("MEMI_WEB_ORIGINS", "*"),
            ("MEMI_WEB_ORIGINS", "https://*.memi.az"),
            ("MEMI_WEB_ORIGINS", "https://memi.az/app"),
            ("MEMI_WEB_ORIGINS", "memi.az"),
            ("MEMI_TRUSTED_PROXIES", "10.0.0.1/8"),
            ("MEMI_TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
            ("MEMI_TRUSTED_PROXIES", "0.0.0.0/0"),
            ("MEMI_TRUSTED_PROXIES", "::/0"),
        ],
    )
    def test_addresses_that_could_not_work_or_would_let_everybody_in_are_refused_in_one_line(
        self, environment: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        environment.setenv(name, value)
        with pytest.raises(ConfigurationError) as refused:
            load_settings()
        (line,) = str(refused.value).splitlines()
        assert line.startswith(f"{name}: ")
        assert "hunter2" not in line

    def test_an_origin_is_written_as_browsers_do(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("MEMI_WEB_ORIGINS", "https://Memi.az/,capacitor://localhost")
        assert load_settings().web_origins == ("https://memi.az", "capacitor://localhost")

    @pytest.mark.parametrize("name", ["MEMI_PUBLIC_URL", "MEMI_WEB_URL"])
    def test_production_is_reached_over_tls_only(self, environment: pytest.MonkeyPatch, name: str) -> None:
        for other, value in {**PRODUCTION, name: "http://memi.az"}.items():
            environment.setenv(other, value)
        with pytest.raises(ConfigurationError, match=name):
            load_settings()

    def test_production_starts_when_everything_is_said(self, environment: pytest.MonkeyPatch) -> None:
        for name, value in PRODUCTION.items():
            environment.setenv(name, value)
        assert load_settings().env is Environment.PRODUCTION

    @pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "MEMI_ENV"])
    def test_production_refuses_to_start_without(self, environment: pytest.MonkeyPatch, name: str) -> None:
        for other, value in PRODUCTION.items():
            if other != name:
                environment.setenv(other, value)
        with pytest.raises(ConfigurationError, match=name.removesuffix("_FILE")):
            load_settings()

    def test_production_refuses_to_start_with_limits_turned_off(self, environment: pytest.MonkeyPatch) -> None:
        for name, value in {**PRODUCTION, "MEMI_RATE_LIMITS": "false"}.items():
            environment.setenv(name, value)
        with pytest.raises(ConfigurationError, match="MEMI_RATE_LIMITS"):
            load_settings()

    def test_secrets_do_not_print(self) -> None:
        settings = Settings(_env_file=None, database_url="postgresql://u:hunter2@db/x")  # pyright: ignore[reportArgumentType]
        assert "hunter2" not in repr(settings)


class TestLogging:
    @pytest.fixture(autouse=True)
    def restore(self) -> Iterator[None]:
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        yield
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()

    def test_secrets_are_redacted_at_any_depth(self) -> None:
        event = {
            "event": "x",
            "password": "hunter2",
            "headers": {"Authorization": "hunter2", "Accept": "json"},
            "items": [{"refresh_token": "hunter2"}, {"deep": ({"Set-Cookie": "hunter2"},)}],
        }
        cleaned = redact(None, "info", event)
        assert "hunter2" not in json.dumps(cleaned)
        assert cleaned["password"] == REDACTED
        assert cleaned["headers"]["Accept"] == "json"

    @pytest.mark.parametrize("as_json", [True, False])
    def test_tracebacks_show_no_variables(self, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging(Settings(_env_file=None, log_json=as_json))
        logging.getLogger().handlers[0].setStream(sys.stderr)  # pyright: ignore[reportAttributeAccessIssue]
        hidden = "hunter2"[::1]
        try:
            raise RuntimeError(len(hidden))
        except RuntimeError:
            structlog.get_logger("probe").exception("failed")
        printed = capsys.readouterr().err
        assert "RuntimeError" in printed
        assert "hunter2" not in printed.replace('hidden = "hunter2"[::1]', "")

    def test_a_refused_row_is_not_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging(Settings(_env_file=None, log_json=True))
        logging.getLogger().handlers[0].setStream(sys.stderr)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            raise RuntimeError('duplicate key "uq"\nDETAIL:  Key (email)=(aysel@example.com) already exists.\nmore')
        except RuntimeError:
            structlog.get_logger("probe").exception("failed")
        printed = capsys.readouterr().err
        assert "duplicate key" in printed
        assert "aysel" not in printed


class TestETags:
    def test_change_with_version_and_numbers(self) -> None:
        assert len({etag(1), etag(2), etag(1, 0), etag(1, 1), etag(1, 1, 2)}) == 5
        assert etag(3, 1) == etag(3, 1)

    @pytest.mark.parametrize(
        ("header", "same"),
        [('"1"', True), ('W/"1"', True), ('"0", "1"', True), ("*", True), ('"2"', False), ("", False), (None, False)],
    )
    def test_if_none_match(self, header: str | None, same: bool) -> None:
        assert is_unchanged(header, etag(1)) is same


class Inner(RequestModel):
    amount: Annotated[int, Field(ge=1)]


class Body(RequestModel):
    name: Annotated[str, Field(min_length=2, max_length=5)]
    kind: Literal["A", "B"] = "A"
    parts: Annotated[list[Inner], Field(max_length=2, default_factory=list)]
    by_key: Annotated[dict[str, Inner], Field(default_factory=dict)]


class Search(RequestModel):
    limit: Annotated[int, Field(ge=1)] = 24
    tag: list[str] | None = None
    seller: UUID | None = None


class TestValidation:
    def test_pointers_escape_as_json_pointers_do(self) -> None:
        assert pointer(["a/b", "c~d", 0]) == "/a~1b/c~0d/0"
        assert pointer([]) == ""

    def test_every_wrong_field_is_named_in_our_words(self) -> None:
        body = {"name": "x", "kind": "C", "parts": [{"amount": 0}, {"amount": "no", "more": 1}], "by_key": {"a/b": {}}}
        with pytest.raises(ValidationFailed) as refused:
            parse(Body, body)
        assert {(item.pointer, item.code) for item in refused.value.errors} == {
            ("/name", "too_short"),
            ("/kind", "unknown_value"),
            ("/parts/0/amount", "out_of_range"),
            ("/parts/1/amount", "wrong_type"),
            ("/parts/1/more", "unknown_field"),
            ("/by_key/a~1b/amount", "required"),
        }
        assert all("pydantic" not in item.message.lower() for item in refused.value.errors)

    @pytest.mark.parametrize("body", [None, [], "text", 7])
    def test_a_body_that_is_no_object(self, body: object) -> None:
        with pytest.raises(ValidationFailed) as refused:
            parse(Body, body)
        assert [(item.pointer, item.code) for item in refused.value.errors] == [("", "wrong_type")]

    def test_query_strings(self) -> None:
        parsed = parse_query(Search, [("tag", "a"), ("tag", "b"), ("limit", "3")], {"tag": True})
        assert (parsed.tag, parsed.limit) == (["a", "b"], 3)
        with pytest.raises(ValidationFailed) as refused:
            parse_query(Search, [("limit", "x"), ("seller", "me"), ("nope", "1"), ("seller", "you")], {"tag": True})
        assert {(item.pointer, item.code) for item in refused.value.errors} == {
            ("/limit", "wrong_type"),
            ("/seller", "bad_format"),
            ("/seller", "repeated"),
            ("/nope", "unknown_field"),
        }
