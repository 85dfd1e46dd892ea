"""The examples and the quick start, as a user runs them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Dict, List

from .fixtures import AgentTest, root, soon

_sdk = str(root / "sdk" / "python")


class Examples(AgentTest):
    """Each runs in a folder of its own, in which ``.agentworks`` is the state folder of the tests' broker."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        its = self.stage.certified("planner")
        self.url: str = its["url"]
        (self.folder / ".agentworks").symlink_to(Path(its["ca"]).parent)
        paths = os.pathsep.join(filter(None, [_sdk, os.environ.get("PYTHONPATH")]))
        self.environment: Dict[str, str] = {**os.environ, "PYTHONPATH": paths, "AGENTWORKS_URL": self.url}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-u",
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run_whole(self, *arguments: str) -> List[str]:
        process = await self.start(*arguments)
        out, _ = await soon(process.communicate())
        self.assertEqual(process.returncode, 0, out.decode())
        return out.decode().splitlines()

    async def line(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        return (await soon(process.stdout.readline())).decode().strip()

    async def test_echo(self) -> None:
        self.stage.certified("analyst")
        lines = await self.run_whole(str(root / "examples/python/echo.py"))
        self.assertEqual(lines[:2], ["stored as number 1: hello", "delivered, and answered: {'echo': 'hello'}"])
        self.assertEqual(len(lines), 4)

    async def test_long_task(self) -> None:
        self.stage.certified("analyst")
        lines = await self.run_whole(str(root / "examples/python/long_task.py"))
        self.assertEqual(lines[:6], [*(f"round {n} of 5" for n in range(1, 6)), "result: {'rounds': 5}"])
        self.assertEqual(lines[-1], "task_cancelled")
        self.assertTrue([line for line in lines if "cleans up" in line])

    async def test_work_queue(self) -> None:
        script = str(root / "examples/python/work_queue.py")
        workers = []
        for name in ("worker-1", "worker-2"):
            self.stage.certified(name)
            worker = await self.start(script, "work", name)
            workers.append(worker)
            self.assertEqual(await self.line(worker), f"{name} works (Ctrl-C stops it)")
        lines = await self.run_whole(script, "submit", "planner", "8")
        for worker in workers:
            os.kill(worker.pid, signal.SIGINT)
            await soon(worker.communicate())
        self.assertEqual(sorted(int(line.split()[1][:-1]) for line in lines), list(range(1, 9)))
        for line in lines:
            self.assertRegex(line, r"^job (\d+): \1 words, counted by worker-[12]$")
        self.assertEqual({line.rsplit(" ", 1)[1] for line in lines}, {"worker-1", "worker-2"})

    async def test_the_quick_start(self) -> None:
        text = (root / "docs" / "QUICK_START_PYTHON.md").read_text(encoding="utf-8")
        programs = [
            code.replace("wss://localhost:8443", self.url) for code in re.findall(r"```python\n(.*?)```", text, re.S)
        ]
        self.assertEqual(len(programs), 2)
        for name, code in zip(("greeter.py", "ask.py"), programs):
            self.assertLess(len(code.splitlines()), 30)
            (self.folder / name).write_text(code)
        for agent in re.findall(r"npx agentworks agent create (\S+)", text):
            self.stage.certified(agent)
        greeter = await self.start("greeter.py")
        self.assertEqual(await self.line(greeter), "greeter answers")
        lines = await self.run_whole("ask.py")
        said = text.split("python3 ask.py\n```\n\n```\n")[1].split("```")[0].splitlines()
        self.assertEqual(lines, said)
        os.kill(greeter.pid, signal.SIGTERM)
        await soon(greeter.communicate())


if __name__ == "__main__":
    unittest.main()
