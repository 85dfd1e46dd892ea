"""Why the broker refused: the problem+json that it answered with, also as it is in what ``websockets`` raises."""

from __future__ import annotations

import json
from typing import Any, Callable, Optional

from .error import AgentworksError, said_error

_problem_bytes_max = 64 * 1024


def refusal_of(error: Exception) -> Optional[AgentworksError]:
    """What an exception of ``websockets.connect`` says about an answer that is no upgrade; None when there was no
    answer at all."""
    response = getattr(error, "response", error)
    status = getattr(response, "status_code", None)
    if not isinstance(status, int):
        return None
    return refusal_by(status, getattr(response, "body", None) or b"")


def refusal_by(status: int, body: bytes) -> AgentworksError:
    """What an answer says that is none of success: problem+json, or at least a status."""
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


def protocol_that_keeps_answers() -> Callable[..., Any]:
    """For ``websockets`` before 14, which leaves the body of a refusal unread: a ``create_protocol`` that reads it, and
    puts it with the exception. Later versions do so themselves."""
    from websockets.legacy.client import WebSocketClientProtocol

    class Protocol(WebSocketClientProtocol):
        _body = b""

        async def read_http_response(self) -> Any:
            status, headers = await super().read_http_response()
            if status != 101:
                length = int(headers.get("Content-Length", "0"))
                self._body = await self.reader.readexactly(min(length, _problem_bytes_max))
            return status, headers

        async def handshake(self, *arguments: Any, **options: Any) -> None:
            try:
                await super().handshake(*arguments, **options)
            except Exception as error:
                setattr(error, "body", self._body)
                raise

    return Protocol
