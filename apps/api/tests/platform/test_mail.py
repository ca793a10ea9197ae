"""Mail: how it is worded, composed, sent through real servers, and kept in a folder."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from jinja2 import UndefinedError

from memi.auth.letters import LETTERS, MailKind, wording, write
from memi.platform.mail import Mail, MailNotSent, MailRefused, compose
from memi.platform.mail_folder import FolderMailer, mail_folder, read_folder
from memi.platform.mail_settings import SmtpServer, parse_sender
from memi.platform.mail_smtp import SmtpMailer
from memi.platform.mail_wording import LOCALES
from memi.platform.settings import Settings
from support.mail import Certificate, bodies, mail_server, self_signed
from support.service import environment, free_port, memi

SENDER = "memi <no-reply@memi.example>"
MAIL = Mail("aysel@example.com", "Salam, dünya", "mətn\n", "<p>mətn</p>\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("certificate"))


def letter(kind: MailKind, locale: str, *, name: str | None = None, **values: str) -> Mail:
    given = {key: f"{key}@example.com" for key in LETTERS[kind].needs} | values
    return write(
        Settings(_env_file=None, web_url="https://memi.example"),
        kind,
        to="aysel@example.com",
        locale=locale,
        name=name,
        token="T0ken_-x" if LETTERS[kind].purpose is not None else None,
        at=datetime(2026, 11, 21, 6, 30, tzinfo=UTC),
        values=given,
    )


class TestWording:
    def test_every_language_has_every_mail(self) -> None:
        assert wording().names == {locale: set(MailKind) for locale in LOCALES} == dict(wording().names)
        assert set(LETTERS) == set(MailKind)

    @pytest.mark.parametrize("locale", LOCALES)
    @pytest.mark.parametrize("kind", MailKind)
    def test_every_mail_is_whole_in_every_language(self, kind: MailKind, locale: str) -> None:
        mail = letter(kind, locale, name="Aysel")
        message = compose(mail, parse_sender(SENDER))
        text, html = bodies(message)
        link = f"https://memi.example{LETTERS[kind].path}"
        if LETTERS[kind].purpose is not None:
            link += "#token=T0ken_-x"
        for body in (text, html):
            assert link in body
            assert "Aysel" in body
            assert not re.search(r"\{\{|\{%|None|Undefined", body)
        assert f'lang="{locale}"' in html
        assert message["Subject"]
        assert message["Content-Language"] == locale
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Message-ID"].endswith("@memi.example>")
        assert message["Date"].datetime.tzinfo is not None

    def test_languages_differ_and_an_unknown_one_is_the_first(self) -> None:
        subjects = {letter(MailKind.VERIFY_EMAIL, locale).subject for locale in LOCALES}
        assert len(subjects) == len(LOCALES)
        assert letter(MailKind.VERIFY_EMAIL, "xx").subject == letter(MailKind.VERIFY_EMAIL, "az").subject

    def test_what_people_named_things_is_escaped_and_stays_one_line(self) -> None:
        mail = letter(MailKind.NEW_SIGN_IN, "en", name="<b>A</b>\nhttps://evil.example", device="<script>\r\n\r\nX")
        text, html = bodies(compose(mail, parse_sender(SENDER)))
        assert "<script>" not in html
        assert "&lt;script&gt; X" in html
        assert "&lt;b&gt;A&lt;/b&gt;" in html
        assert "Device: <script> X." in text
        assert "<b>A</b> https://evil.example!" in text

    def test_a_missing_value_is_an_error(self) -> None:
        with pytest.raises(UndefinedError):
            wording().render(MailKind.NEW_SIGN_IN, locale="en", to="a@example.com", link=None, name=None, site="x")


class TestComposing:
    def test_a_subject_cannot_carry_a_header(self) -> None:
        mail = Mail(MAIL.to, "Hello\r\nBcc: evil@example.com\r\n\r\nbody", "x", "x")
        message = compose(mail, parse_sender(SENDER))
        assert message["Subject"] == "Hello Bcc: evil@example.com body"
        assert message["Bcc"] is None

    @pytest.mark.parametrize("value", ["a\r\nBcc: evil@example.com", "a\nb", "a\rb"])
    def test_no_header_can_carry_another(self, value: str) -> None:
        with pytest.raises(ValueError, match="linefeed"):
            compose(Mail(MAIL.to, "x", "x", "x", {"X-Kind": value}), parse_sender(SENDER))

    @pytest.mark.parametrize(
        "to", ["a@example.com\r\nBcc: evil@example.com", "a@example.com, evil@example.com", "A <a@example.com>", "nope"]
    )
    def test_a_recipient_is_one_address(self, to: str) -> None:
        with pytest.raises(MailRefused):
            compose(Mail(to, "x", "x", "x"), parse_sender(SENDER))

    def test_a_domain_beyond_ascii_travels_as_in_dns(self) -> None:
        assert compose(Mail("a@bücher.example", "x", "x", "x"), parse_sender(SENDER))["To"] == "a@xn--bcher-kva.example"

    @pytest.mark.parametrize("sender", ["", "nobody", "a@x.example, b@x.example", "a@x.example\r\nBcc: b@x.example"])
    def test_a_sender_is_one_address(self, sender: str) -> None:
        with pytest.raises(ValueError, match="must be one address"):
            parse_sender(sender)


class TestSmtp:
    async def test_takes_the_mail_to_the_server(self) -> None:
        async with mail_server() as server:
            await SmtpMailer(f"smtp://{server.host}", SENDER).send(MAIL)
        (received,) = server.mails
        assert (received["From"], received["To"], received["Subject"]) == (SENDER, MAIL.to, MAIL.subject)
        assert [body.replace("\r\n", "\n") for body in bodies(received)] == [MAIL.text, MAIL.html]
        assert server.recipients == [MAIL.to]
        assert server.over_tls == [False]

    async def test_an_address_beyond_ascii_arrives_where_the_server_takes_it(self) -> None:
        mail = Mail("ayşə@example.com", "x", "x", "x")
        async with mail_server() as server:
            await SmtpMailer(f"smtp://{server.host}", SENDER).send(mail)
        assert server.recipients == ["ayşə@example.com"]
        async with mail_server(utf8=False) as server:
            with pytest.raises(MailRefused):
                await SmtpMailer(f"smtp://{server.host}", SENDER).send(mail)
        assert server.mails == []

    async def test_is_encrypted_where_the_server_offers_it(self, certificate: Certificate) -> None:
        async with mail_server(tls=certificate.server) as server:
            await SmtpMailer(f"smtp://{server.host}", SENDER, certificate.trusting).send(MAIL)
        assert server.over_tls == [True]

    async def test_smtps_is_encrypted_from_the_start_and_signs_in(self, certificate: Certificate) -> None:
        async with mail_server(tls=certificate.server, at_once=True, login=True) as server:
            await SmtpMailer(f"smtps://memi:p%40ss@{server.host}", SENDER, certificate.trusting).send(MAIL)
            assert server.over_tls == [True]
            with pytest.raises(MailNotSent, match="SMTPAuthenticationError"):
                await SmtpMailer(f"smtps://memi:wrong@{server.host}", SENDER, certificate.trusting).send(MAIL)
        assert len(server.mails) == 1

    @pytest.mark.parametrize("at_once", [True, False])
    async def test_a_certificate_that_nobody_vouches_for_is_refused(
        self, certificate: Certificate, at_once: bool
    ) -> None:
        async with mail_server(tls=certificate.server, at_once=at_once) as server:
            mailer = SmtpMailer(f"{'smtps' if at_once else 'smtp'}://{server.host}", SENDER)
            with pytest.raises(MailNotSent):
                await mailer.send(MAIL)
            assert (await mailer.check()).up is False
        assert server.mails == []

    async def test_a_password_never_travels_in_the_clear(self) -> None:
        async with mail_server(login=True) as server:
            with pytest.raises(MailNotSent) as refused:
                await SmtpMailer(f"smtp://memi:p%40ss@{server.host}", SENDER).send(MAIL)
        assert not isinstance(refused.value, MailRefused)  # it is the configuration that is wrong, not the mail
        assert server.mails == []

    async def test_says_whether_trying_again_helps_and_names_nobody(self) -> None:
        async with mail_server() as server:
            mailer = SmtpMailer(f"smtp://{server.host}", SENDER)
            server.refuse[MAIL.to] = f"550 no {MAIL.to} here"
            with pytest.raises(MailRefused) as never:
                await mailer.send(MAIL)
            server.refuse[MAIL.to] = f"450 {MAIL.to} is busy"
            with pytest.raises(MailNotSent) as later:
                await mailer.send(MAIL)
            server.refuse.clear()
            server.say_to_data = f"451 not for {MAIL.to} now"
            with pytest.raises(MailNotSent) as full:
                await mailer.send(MAIL)
        assert not isinstance(later.value, MailRefused)
        for error in (never.value, later.value, full.value):
            assert MAIL.to not in str(error)
            assert error.__cause__ is None
            assert error.__suppress_context__

    async def test_a_server_that_is_away_is_said_to_be(self) -> None:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{free_port()}", SENDER)
        with pytest.raises(MailNotSent):
            await mailer.send(MAIL)
        assert (await mailer.check()).up is False

    async def test_is_greeted_once_however_often_health_is_asked(self) -> None:
        async with mail_server() as server:
            mailer = SmtpMailer(f"smtp://{server.host}", SENDER)
            found = await asyncio.gather(*(mailer.check() for _ in range(20)))
        assert all(item.up and item.latency_ms for item in found)
        assert server.connections == 1

    @pytest.mark.parametrize(
        "url",
        [
            "http://x",
            "smtp://",
            "smtp://host:port",
            "smtp://user@host",
            "smtp://:secret@host",
            "smtp://host/path",
            "host",
        ],
    )
    def test_a_wrong_url_is_refused_without_being_repeated(self, url: str) -> None:
        with pytest.raises(ValueError, match="must be smtp") as refused:
            SmtpServer.parse(url)
        assert "secret" not in str(refused.value)

    def test_the_password_is_not_shown(self) -> None:
        server = SmtpServer.parse("smtps://memi:s%3Acret@mx.example")
        assert (server.port, server.password) == (465, "s:cret")
        assert "cret" not in repr(server)


class TestFolder:
    async def test_keeps_each_mail_whole_and_for_its_owner_only(self, tmp_path: Path) -> None:
        folder = tmp_path / "mail"
        mailer = FolderMailer(folder, SENDER)
        sent = letter(MailKind.VERIFY_EMAIL, "az")
        await asyncio.gather(*(mailer.send(sent) for _ in range(10)))
        assert folder.stat().st_mode & 0o777 == 0o700
        paths = sorted(folder.iterdir())
        assert len(paths) == 10
        assert {path.suffix for path in paths} == {".eml"}
        assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
        for kept in read_folder(folder):
            assert (kept.to, kept.subject) == (sent.to, sent.subject)
            assert kept.link == "https://memi.example/auth/verify-email#token=T0ken_-x"
            assert kept.link.encode() in kept.path.read_bytes()

    async def test_a_folder_that_cannot_be_written_is_said_to_be(self, tmp_path: Path) -> None:
        (tmp_path / "mail").write_text("in the way")
        with pytest.raises(MailNotSent):
            await FolderMailer(tmp_path / "mail", SENDER).send(MAIL)

    async def test_memi_mails_lists_them(self, tmp_path: Path) -> None:
        settings = Settings(_env_file=None, data_dir=tmp_path)
        env = environment(tmp_path, 1)
        assert "no mails" in memi("mails", env=env, cwd=tmp_path).stdout
        await FolderMailer(mail_folder(settings), SENDER).send(letter(MailKind.RESET_PASSWORD, "en"))
        await FolderMailer(mail_folder(settings), SENDER).send(MAIL)
        lines = memi("mails", env=env, cwd=tmp_path).stdout.splitlines()
        assert lines[0].endswith("  aysel@example.com  Set a new password")
        assert lines[1].strip() == "https://memi.example/auth/reset-password#token=T0ken_-x"
        assert lines[2].endswith("  aysel@example.com  Salam, dünya")
        assert memi("mails", "--to", "AYSEL", "--last", "1", env=env, cwd=tmp_path).stdout.count("\n") == 1
        refused = memi("mails", env={**env, "MEMI_SMTP_URL": "smtp://mx.example"}, cwd=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")


class TestConfiguration:
    def test_wrong_settings_stop_the_start_in_a_line_each(self, tmp_path: Path) -> None:
        env = environment(tmp_path, 1, MEMI_SMTP_URL="smtp://memi:s3cret@host/path", MEMI_MAIL_FROM="nobody")
        for command in ("serve", "worker", "mails"):
            refused = memi(command, env=env, cwd=tmp_path)
            assert refused.returncode == 2
            lines = refused.stderr.splitlines()
            assert [line.partition(": ")[2].partition(":")[0] for line in lines] == ["MEMI_SMTP_URL", "MEMI_MAIL_FROM"]
            assert "s3cret" not in refused.stderr


class TestHealth:
    async def test_names_the_folder(self, client: httpx.AsyncClient) -> None:
        found = (await client.get("/health")).json()
        assert found["dependencies"]["mail"] == {"status": "up", "latency_ms": None, "detail": "folder"}
