"""The two settings of mail, read the same when they are checked at the start and when they are used."""

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.policy import SMTP
from typing import Self
from urllib.parse import unquote, urlsplit

from email_validator import validate_email

_PORTS = {"smtp": 587, "smtps": 465}
_BAD_URL = "must be smtp[s]://[user:password@]host[:port]"
_BAD_SENDER = "must be one address, such as memi <no-reply@memi.example>"


@dataclass(frozen=True)
class SmtpServer:
    """Where `MEMI_SMTP_URL` leads."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises `ValueError`, without repeating the URL: it holds a password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(_BAD_URL) from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(_BAD_URL)
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if (user is None) != (password is None):
            raise ValueError(_BAD_URL)
        return cls(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "smtps", user, password)


def parse_sender(text: str) -> Address:
    """`MEMI_MAIL_FROM`; raises `ValueError`."""
    if not text.isprintable():
        raise ValueError(_BAD_SENDER)
    try:
        (address,) = SMTP.header_factory("From", text).addresses
        validate_email(address.addr_spec, check_deliverability=False, test_environment=True)
    except (ValueError, IndexError):
        raise ValueError(_BAD_SENDER) from None
    return address
