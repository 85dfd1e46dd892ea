"""What a program gives wrongly: one clear exception each, that says what to do; nothing hangs, nothing is left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict

from agentworks import AgentworksError

from .fixtures import AgentTest, soon, turn
from .server import Server


class Credentials(AgentTest):
    async def refused(self, more: Dict[str, Any], reason: str, says: str) -> AgentworksError:
        with self.assertRaises(AgentworksError) as raised:
            await soon(self.dial(**more))
        self.assertEqual(raised.exception.reason, reason, raised.exception.detail)
        self.assertRegex(raised.exception.detail, says)
        return raised.exception

    async def test_files_that_cannot_be_read(self) -> None:
        for name in ("certificate", "key", "ca"):
            with self.subTest(name):
                await self.refused({name: "/nowhere/x.pem"}, "invalid_argument", f"`{name}`: '/nowhere/x.pem' cannot")
                await self.refused({name: os.devnull}, "invalid_argument", f"`{name}` is no PEM")
                await self.refused({name: b"\xff\xfe"}, "invalid_argument", f"`{name}` is no PEM")
                await self.refused({name: 5}, "invalid_argument", name)

    async def test_damaged_and_mismatched(self) -> None:
        its, other = self.stage.certified("planner"), self.stage.certified("analyst")
        await self.refused({"key": other["key"]}, "invalid_argument", "the key is not the certificate's")
        # (Its file has the certificate, too.)
        key = Path(its["key"]).read_text().split("-----BEGIN CERT")[0]
        await self.refused({"certificate": key}, "invalid_argument", "cannot be used")
        await self.refused({"key": its["certificate"]}, "invalid_argument", "cannot be used")
        await self.refused({"ca": key}, "invalid_argument", "no certificate")
        damaged = Path(its["certificate"]).read_text().replace("A", "B")
        await self.refused({"certificate": damaged}, "invalid_argument", "cannot be used")

    async def test_pem_text_paths_and_an_encrypted_key(self) -> None:
        its = self.stage.certified("planner")
        text: Dict[str, Any] = {name: Path(its[name]).read_text() for name in ("certificate", "key", "ca")}
        pem: Dict[str, Any] = {name: said.encode() for name, said in text.items()}
        paths: Dict[str, Any] = {name: Path(its[name]) for name in text}
        for given in (text, pem, paths):
            agent = await self.dial(**given)
            self.assertEqual(agent.id, "planner")
            await agent.close()
        with tempfile.TemporaryDirectory() as folder:
            locked = f"{folder}/key.pem"
            command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", its["key"], "-out", locked]
            subprocess.run(command, check=True)
            await self.refused({"key": locked}, "invalid_argument", "encrypted: give its `key_password`")
            await self.refused({"key": locked, "key_password": "wrong"}, "invalid_argument", "cannot be used")
            agent = await self.dial(key=locked, key_password="secret")
            await agent.close()

    async def test_a_broker_that_is_not_who_it_should_be(self) -> None:
        stranger = self.stage.ask("issue", **{"as": "stranger"})
        await self.refused({"ca": stranger["certificate"]}, "broker_untrusted", "Give the CA that signed")
        await self.refused({"ca": None}, "broker_untrusted", "Give the CA that signed")
        async with Server(host="127.0.0.2") as server:  # Its certificate is for localhost and 127.0.0.1.
            await self.refused({"url": f"wss://127.0.0.2:{server.port}"}, "broker_untrusted", "mismatch|not valid for")
        plain = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with plain:
            url = f"wss://localhost:{plain.sockets[0].getsockname()[1]}"
            with self.assertRaises(AgentworksError) as raised:
                await self.dial(url=url, timeout_ms=500)
            self.assertEqual(raised.exception.reason, "aborted")
            self.assertIn("The latest attempt failed", raised.exception.detail)

    async def test_certificates_that_the_broker_refuses(self) -> None:
        for kind, reason in [
            ("stranger", "certificate_untrusted"),
            ("expired", "certificate_expired"),
            ("unregistered", "certificate_unknown"),
        ]:
            with self.subTest(kind):
                error = await self.refused(self.stage.ask("issue", **{"as": kind}), reason, ".")
                self.assertFalse(error.retryable)
        agent = await self.connect("revoked")
        serving = asyncio.ensure_future(agent.serve_forever())
        path = f"/v1/certificates/{self.stage.fingerprint('revoked')}"
        self.assertEqual(self.stage.ask("administer", method="DELETE", path=path)["status"], 200)
        with self.assertRaisesRegex(AgentworksError, "connection_refused.*4403"):
            await soon(serving)
        with self.assertRaisesRegex(AgentworksError, "certificate_revoked"):
            await soon(self.dial("revoked"))

    async def test_urls(self) -> None:
        for url, says in [
            ("http://localhost:1", "begins with wss"),
            ("wss://", "names no host"),
            ("wss://localhost:port", "no URL"),
            ("localhost:8443", "begins with wss"),
        ]:
            with self.subTest(url):
                await self.refused({"url": url}, "invalid_argument", says)

    async def test_nobody_there(self) -> None:
        nowhere = "wss://localhost:9"
        with self.assertRaises(AgentworksError) as raised:
            await self.dial(url=nowhere, timeout_ms=300)
        self.assertEqual(raised.exception.reason, "aborted")
        self.assertIn("9", raised.exception.detail)
        with self.assertRaisesRegex(AgentworksError, "connection_failed"):
            await self.dial(url=nowhere, reconnect=False)


class Handlers(AgentTest):
    async def test_handlers_and_capabilities_that_do_not_fit(self) -> None:
        agent = await self.connect("analyst")
        for name, handler, options in [
            ("Bad Name", lambda _: 1, {}),
            ("ok", lambda _: 1, {"max_concurrency": 0}),
            ("ok", lambda _: 1, {"version": 3}),
            ("ok", lambda _: 1, {"nonsense": object()}),
            ("ok", lambda: 1, {}),
            ("ok", 5, {}),
        ]:
            with self.subTest(name, options=options), self.assertRaises(AgentworksError) as raised:
                agent.handle(name, handler, **options)  # type: ignore[call-overload]
            self.assertEqual(raised.exception.reason, "invalid_argument")
        self.assertEqual(agent._live.handlers.capabilities, [])

    async def test_a_handler_that_never_returns_keeps_nobody_from_leaving(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        stop = asyncio.Event()
        told: "asyncio.Queue[None]" = asyncio.Queue()

        @analyst.handle("deaf")
        async def deaf(_: Any) -> None:
            while not stop.is_set():
                try:
                    await stop.wait()
                except asyncio.CancelledError:
                    told.put_nowait(None)

        session = await planner.open("analyst")
        task = session.request("deaf", None)
        await soon(task.delivered)
        task.cancel()
        await soon(told.get())
        closing = asyncio.ensure_future(analyst.close())
        await soon(told.get())
        self.assertFalse(closing.done())
        await soon(closing)
        stop.set()
        await turn()

    async def test_names_and_ids_of_tasks(self) -> None:
        planner, _ = await self.connect("planner"), await self.connect("analyst")
        session = await planner.open("analyst")
        for arguments, more in [(("No Name", 1), {}), (("ok", {1}), {}), (("ok", 1), {"task_id": "7"})]:
            with self.subTest(arguments), self.assertRaises(AgentworksError) as raised:
                session.request(*arguments, **more)  # type: ignore[arg-type]
            self.assertEqual(raised.exception.reason, "invalid_argument")


if __name__ == "__main__":
    unittest.main()
