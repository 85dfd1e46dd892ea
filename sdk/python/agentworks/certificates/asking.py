"""One POST to the broker's edge over mutual TLS, and its answer. JSON both ways; no redirects, no proxies, no cookies."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import ssl
from typing import Any, cast
from urllib.parse import SplitResult

from ..error import client_error
from ..refusal import refusal_by

_answer_s_max = 30.0
_answer_bytes_max = 256 * 1024


class _Answer:
    """Bytes where ``http.client`` expects a socket."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._answer)


async def ask(url: SplitResult, tls: ssl.SSLContext, body: object) -> Any:
    """What was answered with 201. Raises the broker's refusal, or connection_failed."""
    try:
        answer = await asyncio.wait_for(_exchange(url, tls, json.dumps(body).encode()), _answer_s_max)
        response = http.client.HTTPResponse(cast(Any, _Answer(answer)))
        response.begin()
        text = response.read()
        if response.status != 201:
            raise refusal_by(response.status, text)
        return json.loads(text)
    except (OSError, EOFError, ValueError, asyncio.TimeoutError, http.client.HTTPException) as error:
        raise client_error("connection_failed", "The broker could not be asked for a new certificate.", error)


async def _exchange(url: SplitResult, tls: ssl.SSLContext, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(url.hostname, url.port or 443, ssl=tls)
    try:
        head = (
            f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode("ascii") + body)
        await writer.drain()
        answer = bytearray()
        while chunk := await reader.read(_answer_bytes_max):
            answer += chunk
            if len(answer) > _answer_bytes_max:
                raise ValueError("the answer is too long")
        return bytes(answer)
    finally:
        writer.transport.abort()
