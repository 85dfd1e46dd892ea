"""The Python driver: one agent over the SDK's public API, led by JSON lines on stdin (README.md says which). It judges nothing: what it saw is
what it answers."""

import asyncio
import json
import logging
import sys
import traceback

import agentworks
from agentworks import AgentworksError, TaskCancelled, TaskExpired, TaskFailed

# A handler that fails on purpose is told to the log; on stderr the runner would take it for a complaint.
logging.getLogger("agentworks").addHandler(logging.NullHandler())

status_names = {
    agentworks.Connected: "connected",
    agentworks.Disconnected: "disconnected",
    agentworks.Reconnecting: "reconnecting",
    agentworks.GoingAway: "goaway",
    agentworks.Superseded: "superseded",
    agentworks.SessionOpened: "session_opened",
    agentworks.SessionClosed: "session_closed",
    agentworks.Paused: "paused",
    agentworks.Resumed: "resumed",
    agentworks.Fault: "fault",
}


class Shelf:
    """Values that may be asked for before they are there."""

    def __init__(self):
        self.slots = {}

    def slot(self, key):
        return self.slots.setdefault(key, asyncio.get_running_loop().create_future())

    async def get(self, key):
        return await asyncio.shield(self.slot(key))

    def put(self, key, value):
        if not self.slot(key).done():
            self.slot(key).set_result(value)


# --- what every driver can do, by name


async def echo(input, task):
    return input


async def count(input, task):
    for n in range(1, input["to"] + 1):
        await task.progress({"n": n})
        if input.get("each_ms", 0) > 0:
            await asyncio.sleep(input["each_ms"] / 1000)
    return input["to"]


async def fail(input, task):
    if "reason" not in input:
        raise RuntimeError(input["message"])
    raise TaskFailed(input["reason"], input["message"], input.get("retryable"))


async def ask(input, task):
    return {"asked": await task.session.request(input["capability"], input["input"])}


async def hang(input, task):
    await asyncio.Event().wait()


async def hold(input, task):
    await driver.released.get(task.id)
    return {"held": input, "redelivered": task.redelivered}


behaviours = {"echo": echo, "count": count, "fail": fail, "ask": ask, "hang": hang, "hold": hold}


class Driver:
    """One method for each command."""

    def __init__(self):
        self.agent = None
        self.sessions = Shelf()
        self.tasks = Shelf()
        #: By the id of the task that holds.
        self.released = Shelf()
        self.runs = []
        self.statuses_seen = []
        self.told = asyncio.Condition()
        self.background = set()

    def start(self, work):
        """Runs it beside everything else; the loop alone would not keep it."""
        task = asyncio.ensure_future(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def noted(self, capability, name):
        """The behaviour, with a note of each run."""

        async def handler(input, task):
            run = {"task": task.id, "capability": capability, "requester": task.requester}
            run.update(redelivered=task.redelivered, aborted=False)
            self.runs.append(run)
            try:
                return await behaviours[name](input, task)
            except asyncio.CancelledError:
                run["aborted"] = True
                raise

        return handler

    def hold_session(self, session):
        self.sessions.put(session.id, (session, session.messages()))

    async def hold_sessions(self):
        async for session in self.agent.sessions():
            self.hold_session(session)

    async def note_statuses(self):
        async for status in self.agent.status():
            self.statuses_seen.append(status_names[type(status)])
            async with self.told:
                self.told.notify_all()

    async def connect(self, url, ca, certificate=None, key=None, direct=False, journal=None, timeout_ms=None):
        self.agent = await agentworks.connect(
            url=url,
            certificate=certificate,
            key=key,
            ca=ca,
            direct=direct,
            journal=journal,
            reconnect=agentworks.Backoff(50, 500),
            accept=lambda offer: (offer.metadata or {}).get("reject", True),
            timeout_ms=timeout_ms,
        )
        for name in behaviours:
            self.agent.handle(name, self.noted(name, name))
        self.start(self.hold_sessions())
        self.start(self.note_statuses())
        return {"agent": self.agent.id, "account": self.agent.account}

    async def handle(self, capability, max_concurrency=None, **more):
        # `as` is a word of Python's own.
        await self.agent.handle(capability, self.noted(capability, more["as"]), max_concurrency=max_concurrency)

    async def agents(self, capability=None):
        return {"agents": [one["agent"] for one in await self.agent.agents(capability=capability)]}

    async def open(self, peer=None, capability=None, metadata=None, wait_ms=0):
        session = await self.agent.open(peer, capability=capability, metadata=metadata, wait_ms=wait_ms)
        self.hold_session(session)
        names = [one["name"] for one in session.capabilities]
        return {"session": session.id, "peer": session.peer, "capabilities": names}

    async def session(self, session):
        held, _ = await self.sessions.get(session)
        return {"peer": held.peer, "recovered": held.recovered, "requested": list(held.requested)}

    async def request(self, session, capability, input, task=None, deadline_ms=None):
        held, _ = await self.sessions.get(session)
        asked = held.request(capability, input, task_id=task, deadline_ms=deadline_ms)
        self.tasks.put(asked.id, asked)
        return {"task": asked.id}

    async def result(self, task):
        asked = await self.tasks.get(task)
        progress = [step async for step in asked.progress]
        try:
            return {"outcome": "succeeded", "result": await asked.result, "progress": progress}
        except TaskFailed as failed:
            return {"outcome": "failed", "error": failed.error, "progress": progress}
        except AgentworksError as error:
            outcomes = {TaskCancelled: "cancelled", TaskExpired: "expired"}
            said = {"reason": error.reason, "message": error.detail}
            return {"outcome": outcomes.get(type(error), "refused"), "error": said, "progress": progress}

    async def started(self, task):
        await (await self.tasks.get(task)).delivered

    async def cancel(self, task, reason=None):
        (await self.tasks.get(task)).cancel(reason)

    async def release(self, task):
        self.released.put(task, True)

    async def list_runs(self):
        return {"runs": self.runs}

    async def send(self, session, pad=0, wait="stored", **numbers):
        held, _ = await self.sessions.get(session)
        text = "x" * pad
        receipts = []
        for n in range(numbers["from"], numbers["to"] + 1):
            await held.ready()
            receipts.append(held.send({"n": n, "pad": text}))
        if wait != "queued":
            for receipt in receipts:
                await receipt
        if wait == "delivered":
            for receipt in receipts:
                await receipt.delivered
        return {"sent": len(receipts)}

    async def receive(self, session, each_ms=0, **numbers):
        _, messages = await self.sessions.get(session)
        first, final = numbers["from"], numbers["to"]
        seen = {"received": 0, "lost": 0, "duplicated": 0, "out_of_order": 0, "redelivered": 0}
        taken = set()
        last = first - 1
        while last < final:
            message = await anext_of(messages)
            if message is None:
                break
            n = message.content["n"]
            seen["received"] += 1
            seen["redelivered"] += message.redelivered
            if n < first or n in taken:
                seen["duplicated"] += 1
            elif n < last:
                seen["out_of_order"] += 1
            taken.add(n)
            last = max(last, n)
            if each_ms > 0:
                await asyncio.sleep(each_ms / 1000)
        seen["lost"] = sum(n not in taken for n in range(first, final + 1))
        return seen

    async def pause(self, session):
        (await self.sessions.get(session))[0].pause()

    async def resume(self, session):
        (await self.sessions.get(session))[0].resume()

    async def close(self, session, reason="closed"):
        await (await self.sessions.get(session))[0].close(reason)

    async def ended(self, session):
        end = await (await self.sessions.get(session))[0].closed
        return {"reason": end.reason, **({} if end.error is None else {"error": end.error.reason})}

    async def statuses(self, until=None, count=1):
        async with self.told:
            await self.told.wait_for(lambda: until is None or self.statuses_seen.count(until) >= count)
        return {"statuses": self.statuses_seen}

    async def drain(self):
        await self.agent.drain()

    async def leave(self):
        await self.agent.close()


async def anext_of(iterator):
    """The next value, or None at the end (`anext` came with Python 3.10)."""
    try:
        return await iterator.__anext__()
    except StopAsyncIteration:
        return None


async def obey(command):
    id, name = command.pop("id"), command.pop("do")
    method = driver.list_runs if name == "runs" else getattr(driver, name)
    try:
        answer = {"id": id, "value": await method(**command) or {}}
    except AgentworksError as error:
        failing = {"reason": error.reason, "detail": error.detail, "retryable": error.retryable}
        answer = {"id": id, "error": failing}
    except Exception:
        answer = {"id": id, "error": {"reason": "driver_failed", "detail": traceback.format_exc()}}
    print(json.dumps(answer), flush=True)


async def main():
    global driver
    driver = Driver()
    lines = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    # Commands run side by side: each is answered when it is done.
    while line := await lines.readline():
        driver.start(obey(json.loads(line)))


asyncio.run(main())
