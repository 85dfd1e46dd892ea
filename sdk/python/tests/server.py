"""A WebSocket server of the tests' own: what is said byte by byte, and answers that no broker gives."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import struct
import tempfile
from typing import Optional, Tuple

from .fixtures import Stage

_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Peer:
    """One WebSocket, from the server's side."""

    def __init__(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer

    async def read(self) -> Tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        head = await self._reader.readexactly(2)
        size = head[1] & 127
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4)
        payload = await self._reader.readexactly(size)
        return head[0] & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

    async def text(self) -> str:
        opcode, payload = await self.read()
        assert opcode == 1, (opcode, payload)
        return payload.decode()

    async def close_code(self) -> int:
        """Reads on until the client closes."""
        while True:
            opcode, payload = await self.read()
            if opcode == 8:
                self.write(8, payload)
                self.abort()
                code: int = struct.unpack("!H", payload[:2])[0]
                return code

    def write(self, opcode: int, payload: bytes) -> None:
        head = bytes([128 | opcode])
        length = len(payload)
        size = (
            bytes([length])
            if length < 126
            else struct.pack("!BH", 126, length)
            if length < 65536
            else struct.pack("!BQ", 127, length)
        )
        self._writer.write(head + size + payload)

    async def heard(self) -> None:
        """The client has read what was said to it until now."""
        self.write(9, b"")
        while (await self.read())[0] != 10:
            pass

    def say(self, text: str) -> None:
        self.write(1, text.encode())

    def close(self, code: int, reason: str = "") -> None:
        self.write(8, struct.pack("!H", code) + reason.encode())
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()


class Server:
    """Accepts WebSockets, or refuses them all with ``refusal``."""

    def __init__(self, subprotocol: Optional[str] = "agentworks.v1", host: str = "127.0.0.1") -> None:
        self._host = host
        self.accepted: "asyncio.Queue[Peer]" = asyncio.Queue()
        self.refusal: Optional[Tuple[int, str]] = None
        self.subprotocol = subprotocol
        self._open: "set[asyncio.StreamWriter]" = set()

    async def __aenter__(self) -> Server:
        issued = Stage.shared().ask("issue", **{"as": "server"})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(issued["certificate"] + issued["key"])
            file.flush()
            context.load_cert_chain(file.name)
        self._server = await asyncio.start_server(self._serve, self._host, 0, ssl=context)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._open), return_exceptions=True)

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        key = next(line.split(": ", 1)[1] for line in head if line.lower().startswith("sec-websocket-key"))
        if self.refusal is not None:
            status, body = self.refusal
            writer.write(
                f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
            )
            writer.close()
            return
        assert "agentworks.v1" in headers["sec-websocket-protocol"], headers
        assert "sec-websocket-extensions" not in headers, "compression is off"
        accept = base64.b64encode(hashlib.sha1((key + _guid).encode()).digest()).decode()
        chosen = "" if self.subprotocol is None else f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n"
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"{chosen}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self.accepted.put_nowait(Peer(head[0].split(" ")[1], reader, writer))
