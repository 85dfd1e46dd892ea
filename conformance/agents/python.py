"""The echo agent that ``npm run conformance -- client`` tests (docs/CONFORMANCE.md), over the Python SDK."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, Coroutine, Set

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sdk" / "python"))

import agentworks  # noqa: E402

_running: Set["asyncio.Task[None]"] = set()


def leave(work: Coroutine[Any, Any, None]) -> None:
    """What is not awaited may fail with its session: that is no failure of this program."""

    async def watched() -> None:
        try:
            await work
        except agentworks.AgentworksError:
            pass

    task = asyncio.ensure_future(watched())
    _running.add(task)
    task.add_done_callback(_running.discard)


def send(session: agentworks.Session, content: Any) -> None:
    try:
        session.send(content)
    except agentworks.AgentworksError:
        pass


async def request(session: agentworks.Session, value: Any) -> None:
    try:
        result = await session.request("echo", value)
        send(session, {"status": "succeeded", "result": result})
    except agentworks.TaskFailed:
        send(session, {"status": "failed"})
    except agentworks.TaskExpired:
        send(session, {"status": "expired"})
    except agentworks.TaskCancelled:
        send(session, {"status": "cancelled"})


async def open_another(agent: agentworks.Agent, peer: str) -> None:
    session = await agent.open(peer, wait_ms=10_000)
    send(session, "opened")


async def close(session: agentworks.Session) -> None:
    await session.close("told to")


async def obey(agent: agentworks.Agent, session: agentworks.Session, order: Any) -> None:
    what = order["do"]
    if what == "wait":
        await asyncio.sleep(order["ms"] / 1000)
    elif what == "send":
        for number in range(1, order["count"] + 1):
            send(session, number)
    elif what == "request":
        leave(request(session, order["input"]))
    elif what == "open":
        leave(open_another(agent, session.peer))
    elif what == "close":
        leave(close(session))


async def converse(agent: agentworks.Agent, session: agentworks.Session) -> None:
    async for message in session.messages():
        content = message.content
        if isinstance(content, dict) and isinstance(content.get("do"), str):
            await obey(agent, session, content)
        else:
            send(session, content)


async def echo(value: Any) -> Any:
    ms = value.get("ms") if isinstance(value, dict) else None
    if isinstance(ms, (int, float)):
        await asyncio.sleep(ms / 1000)
    return value


async def main() -> None:
    agent = await agentworks.connect(
        url=os.environ["AGENTWORKS_URL"],
        ca=os.environ["AGENTWORKS_CA"],
        certificate=os.environ["AGENTWORKS_CERT"],
        key=os.environ["AGENTWORKS_KEY"],
    )
    agent.handle("echo", echo)
    async for session in agent.sessions():
        leave(converse(agent, session))


asyncio.run(main())
