"""The speed of the Python SDK: one agent sends messages to another, so many of them in flight at once, each stored and
acknowledged by the broker.

The receiver is a process of its own. Prints one JSON object: messagesPerSecond, cpuMicrosPerMessage (of the sending
process).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Deque, Dict

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sdk" / "python"))

import agentworks  # noqa: E402  (found by the line above)

_warm_up = 2_000


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the broker, wss://host:port")
    parser.add_argument("--ca", required=True, help="the CA of its certificate (PEM file)")
    parser.add_argument("--sender", required=True, help="folder with cert.pem and key.pem of the agent that sends")
    parser.add_argument(
        "--receiver", required=True, help="the same of the agent that receives, whose id is the folder's name"
    )
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--bytes", type=int, default=512, help="of each message's content")
    parser.add_argument("--direct", action="store_true", help="a WebSocket for the session alone")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


async def _connect(options: argparse.Namespace, folder: str) -> agentworks.Agent:
    identity = Path(folder)
    return await agentworks.connect(
        url=options.url,
        ca=options.ca,
        certificate=identity / "cert.pem",
        key=identity / "key.pem",
        direct=options.direct,
        recover=False,
    )


async def _receive(options: argparse.Namespace) -> None:
    async with await _connect(options, options.receiver) as agent:
        print("ready", flush=True)
        async for session in agent.sessions():
            async for _ in session.messages():
                pass
            return


async def _send_all(session: agentworks.Session, content: str, count: int, in_flight: int) -> None:
    waiting: Deque[agentworks.Receipt] = deque()
    for _ in range(count):
        if len(waiting) == in_flight:
            await waiting.popleft()
        waiting.append(session.send(content))
    for receipt in waiting:
        await receipt
    await receipt.delivered


async def _measure(options: argparse.Namespace) -> Dict[str, Any]:
    content = "x" * options.bytes
    async with await _connect(options, options.sender) as agent:
        async with await agent.open(Path(options.receiver).name) as session:
            await _send_all(session, content, _warm_up, options.in_flight)
            started, cpu_started = time.perf_counter(), time.process_time()
            await _send_all(session, content, options.messages, options.in_flight)
            seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return {
        "messagesPerSecond": round(options.messages / seconds),
        "cpuMicrosPerMessage": round(cpu_seconds / options.messages * 1e6, 1),
    }


def main() -> None:
    options = _options()
    if options.receive:
        return asyncio.run(_receive(options))
    receiver = subprocess.Popen([sys.executable, *sys.argv, "--receive"], stdout=subprocess.PIPE, text=True)
    try:
        if receiver.stdout is None or receiver.stdout.readline() != "ready\n":
            sys.exit("The receiver ended before it was ready.")
        print(json.dumps(asyncio.run(_measure(options))))
        receiver.wait(timeout=10)
    finally:
        receiver.kill()
        receiver.wait()


if __name__ == "__main__":
    main()
