"""Messages between two agents: stored, delivered, answered. Needs a running broker (npm start) and two certified
agents:

    npx agentworks agent create planner
    npx agentworks agent create analyst
    PYTHONPATH=sdk/python python3 examples/python/echo.py
"""

import asyncio
import os

import agentworks

URL = os.environ.get("AGENTWORKS_URL", "wss://localhost:8443")


async def connect(agent: str) -> agentworks.Agent:
    identity = f".agentworks/agents/{agent}"
    return await agentworks.connect(
        url=URL, ca=".agentworks/ca.pem", certificate=f"{identity}/cert.pem", key=f"{identity}/key.pem"
    )


async def echo(session: agentworks.Session) -> None:
    """Sends every message back."""
    async for message in session.messages():
        session.send({"echo": message.content})


async def echo_all(agent: agentworks.Agent) -> None:
    """Whoever opens a session is answered, all of them at the same time."""
    running = set()
    async for session in agent.sessions():
        task = asyncio.create_task(echo(session))
        running.add(task)
        task.add_done_callback(running.discard)


async def main() -> None:
    async with await connect("analyst") as analyst, await connect("planner") as planner:
        echoing = asyncio.create_task(echo_all(analyst))
        async with await planner.open("analyst") as session:
            answers = session.messages()
            for text in ["hello", "nothing that was acknowledged is ever lost"]:
                receipt = await session.send(text)
                print(f"stored as number {receipt.seq}: {text}")
                await receipt.delivered
                print("delivered, and answered:", (await answers.__anext__()).content)
    await echoing


if __name__ == "__main__":
    asyncio.run(main())
