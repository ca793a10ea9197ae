"""Mail through an SMTP server: one connection per mail, encrypted where the server can, its certificate checked."""

import asyncio
import ssl
import time
from email.message import EmailMessage

import aiosmtplib

from memi.platform.mail import Mail, MailCheck, MailNotSent, MailRefused, MailTurnedAway, compose
from memi.platform.mail_settings import SmtpServer, parse_sender

_STEP_SECONDS = 15.0
_MAIL_SECONDS = 60.0
_CHECK_SECONDS = 3.0
_CHECK_EVERY = 30.0
_SURELY_NOT_SENT = (
    aiosmtplib.SMTPConnectError,
    aiosmtplib.SMTPConnectTimeoutError,
    aiosmtplib.SMTPResponseException,
)
"""No server, or one that answered, and did not take it. A connection that broke may have done its work."""


class SmtpMailer:
    """The `Mailer` of an installation with a mail server.

    `smtps` is encrypted from the start. `smtp` is encrypted as soon as the server offers STARTTLS; with a password in
    the URL a server that does not offer it is refused, so that the password never travels in the clear.
    """

    def __init__(self, url: str, sender: str, tls_context: ssl.SSLContext | None = None) -> None:
        self._server = SmtpServer.parse(url)
        self._sender = parse_sender(sender)
        self._tls = tls_context
        self._checking = asyncio.Lock()
        self._checked: tuple[float, MailCheck] | None = None

    async def send(self, mail: Mail) -> None:
        message = compose(mail, self._sender)
        try:
            async with asyncio.timeout(_MAIL_SECONDS), self._client(_STEP_SECONDS) as client:
                await self._hand_over(client, message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = max((refused.code for refused in error.recipients), default=0)
            raise (MailRefused if code >= 500 else MailTurnedAway)(
                f"the server refused the recipient: {code}"
            ) from None
        except _SURELY_NOT_SENT as error:
            raise MailTurnedAway(_reason(error)) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise MailNotSent(_reason(error)) from None

    async def _hand_over(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        try:
            await client.send_message(message)
        except aiosmtplib.SMTPNotSupported:
            raise MailRefused("the server takes no addresses beyond ASCII") from None

    async def check(self) -> MailCheck:
        """Greets the server, at most every 30 seconds however often it is asked."""
        async with self._checking:
            if self._checked is None or time.monotonic() - self._checked[0] > _CHECK_EVERY:
                self._checked = (time.monotonic(), await self._probe())
            return self._checked[1]

    async def _probe(self) -> MailCheck:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(_CHECK_SECONDS), self._client(_CHECK_SECONDS) as client:
                await client.noop()
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            return MailCheck(False, None, type(error).__name__)
        return MailCheck(True, round((time.perf_counter() - started) * 1000, 2))

    def _client(self, seconds: float) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls=None if server.tls or server.user is None else True,
            tls_context=self._tls,
            timeout=seconds,
        )


def _reason(error: Exception) -> str:
    """What went wrong, without the server's own words: they repeat addresses."""
    code = f" {error.code}" if isinstance(error, aiosmtplib.SMTPResponseException) else ""
    return f"{type(error).__name__}{code}"
