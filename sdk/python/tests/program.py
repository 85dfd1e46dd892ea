"""A program that is killed: an agent with a journal, in a process of its own. Run by test_journal; says one JSON object
a line of what it did.

Arguments: JSON of what ``connect`` takes, and what to do: "send N" numbered messages to keeper, "read" what comes,
"fill" the disk, or "perform" tasks: one whose input is "until told" ends at a line of the standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from typing import Any, Awaitable, List

import agentworks
from agentworks import Agent, AgentworksError, TaskContext


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


async def session_with(agent: Agent, peer: str) -> agentworks.Session:
    """The one of an earlier life, or a new one."""
    sessions = agent.sessions()
    try:
        return await asyncio.wait_for(sessions.__anext__(), 0.5)
    except asyncio.TimeoutError:
        return await agent.open(peer, wait_ms=10_000)


async def send(agent: Agent, count: int) -> None:
    session = await session_with(agent, "keeper")
    say(sent=session.sent, recovered=session.recovered)
    for n in range(session.sent, count):
        await session.ready()
        receipt = session.send(n)
        if n % 50 == 49:
            await receipt
    if count > session.sent:
        await receipt
    await session.close("done")
    say(done=True)
    await agent.drain()


async def read(agent: Agent) -> None:
    async for session in agent.sessions():
        async for message in session.messages():
            say(got=message.content, redelivered=message.redelivered)
        say(done=True)
        return


async def perform(agent: Agent) -> None:
    @agent.handle("work")
    async def work(input: Any, task: TaskContext) -> Any:
        say(began=input, redelivered=task.redelivered)
        if input == "until told":
            await asyncio.to_thread(sys.stdin.readline)
        say(ended=input)
        return input

    await agent.serve_forever()


async def fill(agent: Agent, journal: str) -> None:
    session = await agent.open("keeper", wait_ms=10_000)
    await session.send("kept")
    # Not a byte more: what a full disk says, the operating system says of this file.
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(journal), resource.RLIM_INFINITY))
    failing: "List[Awaitable[object]]" = [session.send("not kept"), agent.serve_forever()]
    for what in failing:
        try:
            await what
        except AgentworksError as error:
            say(reason=error.reason)


async def main() -> None:
    options, what = json.loads(sys.argv[1]), sys.argv[2]
    agent = await agentworks.connect(**options)
    say(ready=True)
    if what.startswith("send"):
        await send(agent, int(what.split(" ")[1]))
    elif what == "fill":
        await fill(agent, options["journal"])
    else:
        await (read(agent) if what == "read" else perform(agent))


asyncio.run(main())
