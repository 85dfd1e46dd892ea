"""The planner, in Python. It has documents, and wants to know what is in them: it opens a session with the analyst and gives it one task for each.
The analyst does not have the text, so it asks back for every part, in the same session, while that task waits.

Everything is numbered, so the planner can count what it saw: loss, repetition and disorder would show."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import agentworks

PART_CHARS = 4096


def say(text):
    print(text, flush=True)


class Tally:
    """What this agent's own code saw."""

    def __init__(self):
        self.counts = {"tasks": 0, "succeeded": 0, "messages": 0, "lost": 0, "duplicated": 0, "outOfOrder": 0}

    def add(self, what, number=1):
        self.counts[what] += number


class Numbers:
    """Numbers that must come as 1, 2, 3 …, each once."""

    def __init__(self, tally):
        self.tally = tally
        self.seen = set()

    def see(self, number):
        self.tally.add("messages")
        if number in self.seen:
            self.tally.add("duplicated")
        elif number < len(self.seen):
            self.tally.add("outOfOrder")
        self.seen.add(number)

    def end(self, last):
        self.tally.add("lost", last - len(self.seen))


class Library:
    """The documents, and who has read which part of them."""

    def __init__(self, files, tally):
        self.texts = {Path(file).name: Path(file).read_text(encoding="utf-8") for file in files}
        self.tally = tally
        self.read_by = {}

    def parts(self, name):
        return max(3, -(-len(self.texts[name]) // PART_CHARS))

    def part(self, name, part):
        length = -(-len(self.texts[name]) // self.parts(name))
        return self.texts[name][(part - 1) * length : part * length]

    def reading(self, session, name):
        return self.read_by.setdefault((session.id, name), Numbers(self.tally))


async def watch(agent):
    """Says that the connection is lost, and found again: nothing else is to be done about it."""
    connected = True
    async for status in agent.status():
        if isinstance(status, agentworks.Disconnected) and connected:
            connected = False
            say(f"lost its connection ({status.code}), and tries again")
        elif isinstance(status, agentworks.Connected):
            connected = True
            say("connected again; its sessions resume where they stood")


async def read_notes(session, notes):
    async for message in session.messages():
        note = message.content
        notes.see(note["note"])
        say(f"MESSAGE note {note['note']}: {note['about']} · seq {message.seq}")


async def analyze(session, name, library):
    """One task of the analyst's. Answers how many notes the analyst had sent by its end."""
    tally = library.tally
    parts = library.parts(name)
    tally.add("tasks")
    task = session.request("analyze", {"name": name, "parts": parts})
    receipt = await task.stored
    say(f"TASK_REQUEST analyze {name} · seq {receipt.seq} · stored")
    steps = Numbers(tally)
    async for step in task.progress:
        steps.see(step["step"])
        say(f"TASK_PROGRESS {name} {step['step']}/{step['of']}, {step['words']} words so far")
    analysis = await task
    tally.add("messages")
    steps.end(parts)
    library.reading(session, name).end(parts)
    tally.add("duplicated", analysis["runs"] - 1)
    tally.add("succeeded")
    theme = f", about “{analysis['theme']}”" if analysis["theme"] else ""
    say(f"TASK_RESPONSE {name}: {analysis['words']} words, {analysis['headings']} headings{theme}")
    return analysis["notes"]


async def work(agent, library):
    session = await agent.open("analyst", wait_ms=10_000)
    names = ", ".join(capability["name"] for capability in session.capabilities)
    say(f"opened a session with {session.peer}, who can {names}")
    notes = Numbers(library.tally)
    reading = asyncio.ensure_future(read_notes(session, notes))
    last_note = 0
    for done, name in enumerate(library.texts, start=1):
        last_note = await analyze(session, name, library)
        say(f"has {done} of {len(library.texts)} analyses")
    await session.close("every document is analyzed")
    await reading
    notes.end(last_note)
    say(f"SESSION_CLOSE: {(await session.closed).reason}")


async def main(files):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    library = Library(files, Tally())
    agent = await agentworks.connect(
        url=os.environ["AGENTWORKS_URL"],
        certificate=os.environ["AGENTWORKS_CERTIFICATE"],
        key=os.environ["AGENTWORKS_KEY"],
        ca=os.environ["AGENTWORKS_CA"],
    )
    async with agent:

        @agent.handle("documents", description="What there is to read: names, and how many parts each has.")
        async def documents(_):
            return [{"name": name, "parts": library.parts(name)} for name in library.texts]

        @agent.handle("read", description="One part of a document, by its name and the part's number.")
        async def read(asked, task):
            library.reading(task.session, asked["name"]).see(asked["part"])
            say(f"TASK_REQUEST read {asked['name']} part {asked['part']}, from {task.requester}: answered")
            return library.part(asked["name"], asked["part"])

        await agent.announced()
        say("is connected with its own certificate (Python)")
        watching = asyncio.ensure_future(watch(agent))
        await work(agent, library)
        say(json.dumps(library.tally.counts))
        # Others still read its documents. At the end of the block it drains.
        await stop.wait()
    await watching


asyncio.run(main(sys.argv[1:]))
