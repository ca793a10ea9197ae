"""Mail: what is sent, the port that sends it, and how it becomes a message nobody can slip a header into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, make_msgid
from typing import Literal, Protocol

from email_validator import EmailNotValidError, validate_email

from memi.platform import clock, metrics
from memi.platform.adapters import Adapters

Encoding = Literal["quoted-printable", "8bit"]


class MailNotSent(Exception):
    """The mail did not leave; says why without naming anybody, since it is logged. Trying again may help."""


class MailTurnedAway(MailNotSent):
    """The mail surely did not leave: there was no server, or it said "not now". Trying again sends nothing twice."""


class MailRefused(MailNotSent):
    """The server will never take mail for this address; trying again is of no use."""


class _Whole(UnstructuredHeader):
    """A header that stays on its line: an address folded as text would come out encoded, and lead nowhere."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # BaseHeader has it; the stubs do not know that the registry mixes it in


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _Whole)  # pyright: ignore[reportArgumentType]  # as above


@dataclass(frozen=True)
class Mail:
    """A mail to one person, in two forms of one content. `headers` come on top of those that every mail has."""

    to: str
    subject: str
    text: str
    html: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class MailCheck:
    """Whether mail can leave, for `/health`."""

    up: bool
    latency_ms: float | None
    detail: str | None = None


class Mailer(Protocol):
    """Sends mail out of the process."""

    async def send(self, mail: Mail) -> None:
        """Hand the mail over; raises `MailNotSent`."""
        ...

    async def check(self) -> MailCheck:
        """Whether mail can leave; asked often, so it is cheap."""
        ...


class CountedMailer:
    """A `Mailer` whose outcomes show in the metrics."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def send(self, mail: Mail) -> None:
        outcome = "lost"
        try:
            await self._mailer.send(mail)
            outcome = "sent"
        except MailRefused:
            outcome = "refused"
            raise
        except MailTurnedAway:
            outcome = "turned_away"
            raise
        finally:
            metrics.MAILS.labels(outcome).inc()

    async def check(self) -> MailCheck:
        return await self._mailer.check()


def mailer_of(adapters: Adapters) -> Mailer:
    return adapters.get(Mailer)  # pyright: ignore[reportAbstractUsage]


def compose(mail: Mail, sender: Address, encoding: Encoding = "quoted-printable") -> EmailMessage:
    """The message on the wire. A line end in a header is an error here, never a header of somebody's choice."""
    to = deliverable(mail.to)
    # Only who has an address beyond ASCII needs a server that speaks SMTPUTF8.
    message = EmailMessage(
        SMTP.clone(cte_type="8bit" if encoding == "8bit" else "7bit", utf8=not to.isascii(), header_factory=_HEADERS)
    )
    message["From"] = sender
    local, _, domain = to.rpartition("@")
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=sender.domain)
    # Nobody's out-of-office answers a machine (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte=encoding)
    message.add_alternative(mail.html, subtype="html", cte=encoding)
    for name, value in mail.headers.items():
        message[name] = value
    return message


def deliverable(address: str) -> str:
    """The form that most servers take: a domain beyond ASCII as it is in DNS. Raises `MailRefused` for no address."""
    try:
        return _checked(address)
    except EmailNotValidError:
        raise MailRefused("not an address") from None


def _checked(address: str) -> str:
    valid = validate_email(address, check_deliverability=False, test_environment=True)
    return valid.ascii_email or valid.normalized
