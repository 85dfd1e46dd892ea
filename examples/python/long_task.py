"""A task that takes its time: it tells how far it is, and stops when nobody wants it any more. Needs a running broker
(npm start) and two certified agents:

    npx agentworks agent create planner
    npx agentworks agent create analyst
    PYTHONPATH=sdk/python python3 examples/python/long_task.py
"""

import asyncio
import os
from typing import Any, Dict

import agentworks

URL = os.environ.get("AGENTWORKS_URL", "wss://localhost:8443")


async def connect(agent: str) -> agentworks.Agent:
    identity = f".agentworks/agents/{agent}"
    return await agentworks.connect(
        url=URL, ca=".agentworks/ca.pem", certificate=f"{identity}/cert.pem", key=f"{identity}/key.pem"
    )


async def train(plan: Dict[str, Any], task: agentworks.TaskContext) -> Dict[str, Any]:
    done = 0
    try:
        for done in range(1, plan["rounds"] + 1):
            await asyncio.sleep(0.05)
            await task.progress({"round": done, "of": plan["rounds"]})
    except asyncio.CancelledError:
        print(f"  (the trainer cleans up after round {done})")
        raise
    return {"rounds": done}


async def main() -> None:
    async with await connect("analyst") as analyst, await connect("planner") as planner:
        analyst.handle("train", train, description="trains a model", max_concurrency=1)
        await analyst.announced()
        async with await planner.open("analyst") as session:
            task = session.request("train", {"rounds": 5})
            async for step in task.progress:
                print(f"round {step['round']} of {step['of']}")
            print("result:", await task)

            task = session.request("train", {"rounds": 1_000}, deadline_ms=15 * 60 * 1000)
            async for step in task.progress:
                print(f"round {step['round']} of {step['of']}")
                if step["round"] == 3:
                    task.cancel("it is good enough")
            try:
                await task
            except agentworks.TaskCancelled as error:
                print(error.reason)


if __name__ == "__main__":
    asyncio.run(main())
