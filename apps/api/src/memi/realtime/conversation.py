"""What happens on one socket, from the handshake to the end: sign-in first, then commands one after the other."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar.exceptions import WebSocketException
from pydantic import ConfigDict, Field

from memi.platform.errors import AppError, MfaEnrolmentRequired, NotAuthenticated, NotWhileImpersonating
from memi.platform.principal import Principal
from memi.platform.problems import to_app_error
from memi.platform.request_state import RequestState
from memi.platform.unit_of_work import is_conflict
from memi.platform.validation import RequestModel, parse
from memi.realtime import frames
from memi.realtime.connection import Connection, Send
from memi.realtime.errors import TooManyCommands, UnknownCommand, WrongAccount
from memi.realtime.frames import CloseCode, FrameId, MalformedFrame
from memi.realtime.hub import Hub

_TRIES = 4  # the first, and at most three more after a conflict


class Authenticate(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"access_token": "eyJhbGciOiJIUzI1NiIs…"}]})

    access_token: Annotated[str, Field(min_length=1, max_length=8192)]


class Ready(msgspec.Struct):
    """The socket is signed in; the server pings every `heartbeat_seconds` (a protocol ping)."""

    user_id: UUID
    heartbeat_seconds: int


class Nothing(msgspec.Struct):
    """An empty object."""


class _Over(Exception):
    """The socket is to be closed with `code`, or is gone already (None)."""

    def __init__(self, code: CloseCode | None = None) -> None:
        super().__init__(code)
        self.code = code


class Conversation:
    """`receive` and `send` are the server's; the socket is accepted already."""

    def __init__(
        self, hub: Hub, receive: Any, send: Send, *, address: str | None, on_signed_in: Callable[[], None]
    ) -> None:
        self._hub = hub
        self._receive = receive
        self._send = send
        self._address = address
        self._on_signed_in = on_signed_in

    async def run(self, authorization: str | None, cookie_token: str | None = None) -> None:
        """Serve until either side ends it; who brought neither header nor cookie signs in with its first frame."""
        connection: Connection | None = None
        try:
            principal, id = await self._sign_in(authorization, cookie_token)
            self._on_signed_in()
            connection = self._connect(principal)
            await self._attach(connection, id)
            while True:
                text = await self._next_text()
                if connection.closing is not None:
                    await self._until_gone()  # it may not read, but what it says counts no more
                    return
                await self._serve_one(connection, text)
        except _Over as over:
            if connection is None and over.code is not None:
                await self._say({"type": "websocket.close", "code": int(over.code), "reason": ""})
            elif connection is not None and over.code is not None:
                connection.close(over.code)
                await self._until_gone()
        except asyncio.CancelledError:
            if connection is None or not connection.given_up:
                raise
        finally:
            if connection is not None:
                self._hub.detach(connection)
                await connection.finish()

    async def _sign_in(self, authorization: str | None, cookie_token: str | None) -> tuple[Principal, FrameId]:
        id: FrameId = None
        try:
            if authorization is not None:
                scheme, _, token = authorization.partition(" ")
                if scheme.lower() != "bearer":
                    raise NotAuthenticated("Use `Authorization: Bearer <access token>`.")
                return await self._principal(token.strip()), None
            if cookie_token is not None:
                return await self._principal(cookie_token), None
            async with asyncio.timeout(self._hub.settings.socket_auth_seconds):
                command = frames.read_command(await self._next_text())
                id = command.id
                if command.type != "auth":
                    raise NotAuthenticated("The first frame must be `auth`.")
                return await self._principal(parse(Authenticate, command.data).access_token), id
        except MalformedFrame as malformed:
            await self._refuse(malformed.error, malformed.id)
        except TimeoutError:
            await self._refuse(NotAuthenticated("No `auth` frame came in time."), None)
        except AppError as error:
            await self._refuse(error, id)
        raise _Over(CloseCode.NOT_AUTHENTICATED)

    async def _principal(self, token: str) -> Principal:
        claimed = self._hub.tokens.read(token)
        if claimed.impersonator_id is not None:
            raise NotWhileImpersonating  # a socket would show others that its owner is here, and tell all they are told
        principal = await self._hub.check.check(claimed)
        if principal.may_only_enrol:
            raise MfaEnrolmentRequired
        return principal

    def _connect(self, principal: Principal) -> Connection:
        settings = self._hub.settings
        if not self._hub.may_open(principal.user_id):
            raise _Over(CloseCode.TOO_MANY_SOCKETS)
        return Connection(
            self._send,
            principal,
            queue=settings.socket_queue,
            give_up_seconds=settings.socket_dead_seconds,
            address=self._address,
        )

    async def _attach(self, connection: Connection, id: FrameId) -> None:
        ready = Ready(connection.user_id, round(self._hub.settings.socket_ping_seconds))
        try:
            await self._hub.attach(connection, frames.reply("ready", ready, id))
        except Exception as error:
            # Logged by the mapping; the client tries again, as it does when this process goes away.
            to_app_error(error, RequestState("-"))
            raise _Over(CloseCode.TRY_LATER) from None

    async def _serve_one(self, connection: Connection, text: str) -> None:
        if not connection.may_command():
            connection.send(frames.refusal(TooManyCommands(), _id_of(text)))
            return
        try:
            command = frames.read_command(text)
        except MalformedFrame as malformed:
            connection.send(frames.refusal(malformed.error, malformed.id))
            return
        try:
            data = await self._run(connection, command.type, command.data)
        except AppError as error:
            connection.send(frames.refusal(error, command.id))
        else:
            # No wait between the command's end and this: what it promised about later events holds.
            connection.send(frames.reply("ack", Nothing() if data is None else data, command.id))

    async def _run(self, connection: Connection, name: str, data: dict[str, Any]) -> Any:
        if name == "ping":
            return None
        if name == "auth":
            return await self._sign_in_again(connection, parse(Authenticate, data))
        registered = self._hub.commands.get(name)
        if registered is None:
            raise UnknownCommand
        arguments = parse(registered.model, data)
        for attempt in range(1, _TRIES + 1):
            try:
                return await registered.run(connection, arguments)
            except AppError:
                raise
            except Exception as error:
                if not is_conflict(error) or attempt == _TRIES:
                    raise to_app_error(error, RequestState("-")) from error
                await asyncio.sleep(0.005 * 2**attempt)
        raise AssertionError("unreachable")

    async def _sign_in_again(self, connection: Connection, data: Authenticate) -> Ready:
        """Keep the socket beyond its token's end."""
        principal = await self._principal(data.access_token)
        if principal.user_id != connection.user_id:
            raise WrongAccount
        connection.principal = principal
        connection.warned_of_expiry = False
        self._hub.suspect(connection)
        return Ready(principal.user_id, round(self._hub.settings.socket_ping_seconds))

    async def _next_text(self) -> str:
        message: Any = await self._receive()
        if message["type"] != "websocket.receive":
            raise _Over
        text: str | None = message.get("text")
        if text is None:
            raise _Over(CloseCode.UNSUPPORTED)
        # The server refuses long frames before they are read whole; this holds under any server.
        if len(text) > frames.MAX_FRAME_BYTES or len(text.encode()) > frames.MAX_FRAME_BYTES:
            raise _Over(CloseCode.TOO_BIG)
        return text

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] == "websocket.receive":
            pass

    async def _refuse(self, error: AppError, id: FrameId) -> None:
        await self._say({"type": "websocket.send", "text": frames.refusal(error, id)})

    async def _say(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError, WebSocketException):
            raise _Over from None


def _id_of(text: str) -> FrameId:
    """The id of a frame that is not going to be read further."""
    try:
        return frames.read_command(text).id
    except MalformedFrame as malformed:
        return malformed.id
