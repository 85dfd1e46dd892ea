"""A cable between an agent and the broker, to be pulled: nobody answers any more, and what was open is cut."""

from __future__ import annotations

import asyncio
from typing import Optional, Set


class Cable:
    """``async with Cable(port)``."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: Optional[asyncio.AbstractServer] = None
        self._open: Set[asyncio.StreamWriter] = set()
        self.port = 0

    async def __aenter__(self) -> Cable:
        await self.plug_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pull()

    async def plug_in(self) -> None:
        self._server = await asyncio.start_server(self._lay, "localhost", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._open), return_exceptions=True)
        self._open.clear()

    async def _lay(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection("localhost", self._target)
        self._open |= {to_near, to_far}
        await asyncio.gather(self._forward(near, to_far), self._forward(far, to_near))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
