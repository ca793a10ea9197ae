"""HTTP as uvicorn speaks it, its request heads bounded in size and time: uvicorn itself takes any, for ever."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from memi.platform.settings import Settings

_REPLY = (
    "HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
    "content-length: {length}\r\nconnection: close\r\n\r\n{body}"
)
_PROBLEM = (
    '{{"type":"/docs/errors#{code}","title":"{title}","status":{status.value},"detail":"{title}","instance":"",'
    '"code":"{code}","request_id":""}}'
)


class BoundedHttp(HttpToolsProtocol):
    """Ends a connection whose request line and headers grow beyond `head_bytes` or take longer than `head_seconds`."""

    head_bytes = 65_536
    head_seconds = 15.0
    _head_size = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    @classmethod
    def bound(cls, settings: Settings) -> None:
        """Take the configured bounds, for every connection of this process."""
        cls.head_bytes = settings.max_header_bytes
        cls.head_seconds = settings.header_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        # After a reply nothing is in the head until the next message begins, which keep-alive waits for.
        super().data_received(data)
        if not self._in_head:
            self._head_size = 0
            if self._head_timer is not None:
                self._stop_timer()
            return
        self._head_size += len(data)
        if self._head_size > self.head_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "The headers are too long.")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_late)

    def _too_late(self) -> None:
        self._head_timer = None
        if self._head_size == 0:
            self.transport.close()  # nothing was asked, so there is nothing to answer
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "headers_timed_out", "The headers took too long to arrive.")

    def _refuse(self, status: HTTPStatus, code: str, title: str) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison]  # None before the first
            self.transport.close()  # the reply to an earlier request is on its way: nothing may be put into it
            return
        body = _PROBLEM.format(status=status, code=code, title=title)
        self.transport.write(_REPLY.format(status=status, length=len(body), body=body).encode())
        self.transport.close()

    def _stop_timer(self) -> None:
        timer, self._head_timer = self._head_timer, None
        if timer is not None:
            timer.cancel()
