"""Mails as their readers see them, and real mail servers to send them through."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from memi.platform.mail_folder import KeptMail, mail_folder, read_folder
from memi.platform.settings import Settings


@dataclass(frozen=True)
class Mailbox:
    """What came to one address while mail goes to the data folder, oldest first."""

    settings: Settings
    address: str

    def mails(self, subject: str = "") -> list[KeptMail]:
        return [
            mail
            for mail in read_folder(mail_folder(self.settings))
            if mail.to == self.address and subject in mail.subject
        ]

    def token(self, subject: str = "") -> str:
        """The token of the newest mail's link."""
        link = self.mails(subject)[-1].link
        assert link is not None
        assert "#token=" in link, link
        return link.partition("#token=")[2]


def bodies(message: EmailMessage) -> tuple[str, str]:
    """Text and HTML."""
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert rich is not None
    return str(plain.get_content()), str(rich.get_content())


@dataclass
class MailServer:
    """A real SMTP server; `refuse` holds the recipients it turns away, with what it says."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    connections: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    say_to_data: str = "250 taken"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def handle_EHLO(  # noqa: N802  # named by the server
        self, server: SMTP, session: Any, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if not self.say_to_data.startswith("250"):
            return self.say_to_data
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, EmailMessage, policy=SMTP_POLICY))  # pyright: ignore[reportCallIssue, reportArgumentType]
        self.recipients.extend(str(to) for to in envelope.rcpt_tos)
        self.over_tls.append(server.transport.get_extra_info("sslcontext") is not None)
        return self.say_to_data


def _login(_server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"memi", b"p@ss"), handled=False)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, at_once: bool = False, login: bool = False, utf8: bool = True, port: int = 0
) -> AsyncIterator[MailServer]:
    """On a port of its own; with `tls` it offers STARTTLS, or with `at_once` speaks TLS from the first byte."""
    loop = asyncio.get_running_loop()
    handler = MailServer()

    def protocol() -> SMTP:
        return SMTP(
            handler,
            hostname="mx.test",
            enable_SMTPUTF8=utf8,
            tls_context=None if at_once else tls,
            authenticator=_login if login else None,
            auth_require_tls=not at_once,
            loop=loop,
        )

    server = await loop.create_server(protocol, "127.0.0.1", port, ssl=tls if at_once else None)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()


@dataclass(frozen=True)
class Certificate:
    """A certificate of 127.0.0.1 that nobody has signed but itself."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


def self_signed(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    chain, secret = folder / "mx.pem", folder / "mx.key"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(chain, secret)
    return Certificate(server, ssl.create_default_context(cafile=str(chain)))
