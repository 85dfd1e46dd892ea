"""Several workers behind one capability: the broker gives each job to one that is connected and has room. Start as many
workers as you like, and kill one while it works: with its journal, it goes on with the job when it is started again.
Needs a running broker (npm start):

    npx agentworks agent create worker-1      # and worker-2 …, and planner
    PYTHONPATH=sdk/python python3 examples/python/work_queue.py work worker-1
    PYTHONPATH=sdk/python python3 examples/python/work_queue.py submit planner 20
"""

import asyncio
import os
import sys

import agentworks

URL = os.environ.get("AGENTWORKS_URL", "wss://localhost:8443")
CAPABILITY = "count-words"
DAY_MS = 24 * 60 * 60 * 1000


async def connect(agent: str) -> agentworks.Agent:
    identity = f".agentworks/agents/{agent}"
    return await agentworks.connect(
        url=URL,
        ca=".agentworks/ca.pem",
        certificate=f"{identity}/cert.pem",
        key=f"{identity}/key.pem",
        journal=f"{identity}/journal",
    )


async def work(name: str) -> None:
    async with await connect(name) as agent:

        @agent.handle(CAPABILITY, max_concurrency=2)
        async def count_words(text: str, task: agentworks.TaskContext) -> int:
            print(f"{name} counts{' again' if task.redelivered else ''}: {text}")
            await asyncio.sleep(0.2)
            return len(text.split())

        await agent.announced()
        print(f"{name} works (Ctrl-C stops it)")
        await agent.serve_forever()


async def submit(name: str, count: int) -> None:
    async with await connect(name) as agent:

        async def job(number: int) -> None:
            # Waits for room, for as long as it takes: nobody is asked for more than it can do.
            async with await agent.open(capability=CAPABILITY, wait_ms=DAY_MS) as session:
                words = await session.request(CAPABILITY, "word " * number, deadline_ms=60_000)
                print(f"job {number}: {words} words, counted by {session.peer}")

        await asyncio.gather(*(job(number) for number in range(1, count + 1)))


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["work"] and len(sys.argv) == 3:
            asyncio.run(work(sys.argv[2]))
        elif sys.argv[1:2] == ["submit"] and len(sys.argv) == 4:
            asyncio.run(submit(sys.argv[2], int(sys.argv[3])))
        else:
            sys.exit(__doc__)
    except KeyboardInterrupt:
        pass
