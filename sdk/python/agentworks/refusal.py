"""Why the broker refused an upgrade: the problem+json that it answered with."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Optional
from urllib.parse import SplitResult

from .error import AgentworksError, said_error

_problem_bytes_max = 64 * 1024
_patience_s = 10.0


def _error_of(status: int, body: bytes) -> AgentworksError:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    said = parsed if isinstance(parsed, dict) else {}

    def text(name: str, otherwise: str) -> str:
        value = said.get(name)
        return value if isinstance(value, str) else otherwise

    retryable = said.get("retryable")
    return said_error(
        {
            "reason": text("reason", "connection_failed"),
            "code": text("code", "unavailable"),
            "detail": text("detail", f"The broker answered HTTP {status}."),
            "retryable": retryable if isinstance(retryable, bool) else status >= 500 or status in (408, 429),
        }
    )


async def refusal_of(
    error: Exception, url: SplitResult, subprotocol: str, tls: ssl.SSLContext
) -> Optional[AgentworksError]:
    """What an exception of ``websockets.connect`` says about an answer that is no upgrade; None when there was no
    answer at all.

    Newer versions of ``websockets`` keep the answer's body. Older ones (before 14) drop it: then the same is asked once
    more, by hand.
    """
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "status_code", None)
    if not isinstance(status, int):
        return None
    body = getattr(response, "body", None)
    if isinstance(body, (bytes, bytearray)):
        return _error_of(status, bytes(body))
    try:
        return await asyncio.wait_for(_ask_again(status, url, subprotocol, tls), _patience_s)
    except (OSError, EOFError, ValueError, asyncio.TimeoutError):
        return _error_of(status, b"")


async def _ask_again(status: int, url: SplitResult, subprotocol: str, tls: ssl.SSLContext) -> AgentworksError:
    host = url.hostname or ""
    reader, writer = await asyncio.open_connection(host, url.port or 443, ssl=tls, limit=_problem_bytes_max)
    try:
        head = [
            f"GET {url.path} HTTP/1.1",
            f"Host: {url.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            f"Sec-WebSocket-Protocol: {subprotocol}",
        ]
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode("ascii"))
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        again = int(answer[0].split(" ")[1])
        if again < 300:  # It would be let in now: the refusal was a passing one.
            return _error_of(503, b"")
        headers = dict(line.lower().split(":", 1) for line in answer[1:] if ":" in line)
        length = int(headers.get("content-length", "0"))
        if 0 < length <= _problem_bytes_max:
            return _error_of(again, await reader.readexactly(length))
        return _error_of(again, await reader.read(_problem_bytes_max))
    finally:
        writer.transport.abort()
