"""One WebSocket from its dial to its end: mutual TLS, the subprotocol, the heartbeat, and why it could not be opened.
It reports once that it is over; what to do then is its owner's business."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from typing import Any, Callable, Deque, Dict, NamedTuple, Optional, Protocol, Union, cast
from collections import deque
from urllib.parse import SplitResult

import websockets
from websockets.exceptions import ConnectionClosed

from .error import AgentworksError, client_error, wire_error
from .heartbeat import Heartbeat, Timing
from .protocol.errors import CloseCode
from .protocol.limits import FRAME_BYTES_MAX
from .refusal import protocol_that_keeps_answers, refusal_of

_subprotocol = "agentworks.v1"
HEARTBEAT = '{"type":"HEARTBEAT"}'
_handshake_s_max = 20.0
_close_s_max = 1.0
#: The broker's frames are a little longer than what agents may send: it stamps `from` and `seq` (F7).
_payload_bytes_max = 2 * FRAME_BYTES_MAX + 64 * 1024
_abnormal_closure = 1006


class SocketEnd(NamedTuple):
    """How a socket ended. ``refused``: the upgrade was answered with a problem, or the TLS handshake failed for
    good."""

    code: int
    reason: str
    refused: Optional[AgentworksError] = None
    cause: Optional[BaseException] = None


class SocketEvents(Protocol):
    """What a socket tells its owner."""

    def socket_opened(self, socket: Socket) -> None:
        ...

    def socket_frame(self, text: str) -> None:
        ...

    def socket_ended(self, socket: Socket, end: SocketEnd) -> None:
        """Once, and last."""


class _WebSocket(Protocol):
    """What is used of a connection of ``websockets``: the same in 10.4 and in today's."""

    @property
    def subprotocol(self) -> Optional[str]:
        ...

    async def recv(self) -> Union[str, bytes]:
        ...

    async def send(self, message: str) -> None:
        ...

    async def close(self, code: int, reason: str) -> None:
        ...

    async def wait_closed(self) -> None:
        ...


def _dialling(url: SplitResult, tls: ssl.SSLContext) -> Any:
    dial: Callable[..., Any] = getattr(websockets, "connect")  # Each version has it of another type.
    options: Dict[str, Any] = {
        "ssl": tls,
        "subprotocols": [_subprotocol],
        "compression": None,
        "max_size": _payload_bytes_max,
        # The protocol has a heartbeat of its own.
        "ping_interval": None,
        "open_timeout": _handshake_s_max,
        "close_timeout": _close_s_max,
    }
    takes = inspect.signature(dial).parameters
    # Before version 14 the body of a refusal would be left unread.
    if "create_protocol" in takes:
        options["create_protocol"] = protocol_that_keeps_answers()
    # From version 15 on it would else go through the proxy that the environment names.
    if "proxy" in takes:
        options["proxy"] = None
    return dial(url.geturl(), **options)


class Socket:
    """Dials at once."""

    def __init__(self, url: SplitResult, tls: ssl.SSLContext, timing: Timing, events: SocketEvents) -> None:
        self._url = url
        self._tls = tls
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._heartbeat = Heartbeat(timing, lambda: self.send(HEARTBEAT), self._give_up)
        self._websocket: Optional[_WebSocket] = None
        self._gave_up = False
        self._over = False
        self._closing: Optional[SocketEnd] = None
        self._frames: Deque[str] = deque()
        self._more = asyncio.Event()
        self._task = self._loop.create_task(self._run())

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return not self._over and self._websocket is not None

    @property
    def is_gone(self) -> bool:
        """Nothing of it is left."""
        return self._task.done()

    def send(self, frame: str) -> None:
        self._heartbeat.sent()
        self._frames.append(frame)
        self._more.set()

    def close(self, code: int, reason: str) -> None:
        """Ends it in an orderly way, after what was sent; it reports nothing more."""
        self._silence()
        if self._websocket is None:
            self._task.cancel()
        else:
            self._closing = SocketEnd(code, reason)
            self._more.set()

    async def wait_closed(self) -> None:
        """Nothing of it is left then. Takes as long as the broker takes to say goodbye, and no longer than that is
        worth waiting for."""
        _, late = await asyncio.wait({self._task}, timeout=2 * _close_s_max)
        if late:
            self._abort()
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_close_s_max)

    def _silence(self) -> None:
        self._over = True
        self._heartbeat.stop()

    def _give_up(self) -> None:
        self._gave_up = True
        self._abort()

    def _abort(self) -> None:
        transport = getattr(self._websocket, "transport", None)
        if transport is not None:
            transport.abort()

    async def _run(self) -> None:
        try:
            websocket = cast(_WebSocket, await _dialling(self._url, self._tls))
        except Exception as error:  # Whatever it is, it has not been opened.
            return self._end(self._not_opened(error))
        if self._over:
            return await websocket.close(1000, "")
        self._websocket = websocket
        writing = self._loop.create_task(self._write(websocket))
        try:
            end = await self._read(websocket)
        finally:
            writing.cancel()
            await asyncio.wait({writing})
        self._end(end)
        self._abort()
        await websocket.wait_closed()

    async def _read(self, websocket: _WebSocket) -> SocketEnd:
        if websocket.subprotocol != _subprotocol:
            await websocket.close(1000, "")
            return SocketEnd(_abnormal_closure, "", refused=wire_error("subprotocol_required"))
        try:
            self._heartbeat.start()
            self._events.socket_opened(self)
            while True:
                data = await websocket.recv()
                if self._over:
                    continue
                self._heartbeat.heard()
                self._events.socket_frame(data if isinstance(data, str) else data.decode("utf-8", "replace"))
        except ConnectionClosed as closed:
            if self._gave_up:
                return SocketEnd(CloseCode.HEARTBEAT_TIMEOUT, "nothing came for too long")
            if closed.rcvd is None:
                return SocketEnd(_abnormal_closure, "", cause=closed)
            return SocketEnd(closed.rcvd.code, closed.rcvd.reason, cause=closed)
        except Exception as bug:
            # It must not go unseen, and must not end an agent that a new connection can heal.
            self._loop.call_exception_handler({"message": "agentworks: a frame could not be taken", "exception": bug})
            self._abort()
            return SocketEnd(_abnormal_closure, "a frame could not be taken", cause=bug)

    async def _write(self, websocket: _WebSocket) -> None:
        try:
            while True:
                while self._frames:
                    await websocket.send(self._frames.popleft())
                if self._closing is not None:
                    return await websocket.close(self._closing.code, self._closing.reason)
                self._more.clear()
                await self._more.wait()
        except ConnectionClosed:
            pass  # The reader hears of it, too, and says why.

    def _end(self, end: SocketEnd) -> None:
        if not self._over:
            self._silence()
            self._events.socket_ended(self, end)

    def _not_opened(self, error: Exception) -> SocketEnd:
        if isinstance(error, ssl.SSLCertVerificationError):
            why = (
                f"The TLS handshake failed: {error.verify_message}. Give the CA that signed the broker's certificate "
                "as `ca`, and the name that it is for in `url`."
            )
            return SocketEnd(_abnormal_closure, why, refused=client_error("broker_untrusted", why, error), cause=error)
        if isinstance(error, ssl.SSLError):
            why = (
                f"The TLS handshake failed: {error.reason or error}. "
                f"Is there a broker with mutual TLS at {self._url.netloc}?"
            )
            return SocketEnd(_abnormal_closure, why, refused=client_error("broker_untrusted", why, error), cause=error)
        refused = refusal_of(error)
        if refused is not None:
            return SocketEnd(_abnormal_closure, refused.reason, refused=refused, cause=error)
        return SocketEnd(_abnormal_closure, str(error) or type(error).__name__, cause=error)
