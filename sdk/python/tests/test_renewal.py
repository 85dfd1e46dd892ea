"""Certificates that renew themselves, on a real broker: lives of seconds instead of months."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional
from urllib.parse import urlsplit

import agentworks
from agentworks import AgentworksError, CertificateRenewed, Connected, Disconnected, Fault, from_environment
from agentworks.certificates.common_name import common_name_of
from agentworks.certificates.files import Identity, IdentityFiles, read_pair, settle_identity, write_identity
from agentworks.certificates.renewal import Renewal, judge_answer, renewal_time
from agentworks.certificates.signing_request import Facts, facts_of, is_pair, make_key_and_request
from agentworks.credentials import Credentials

from .cable import Cable
from .fixtures import AgentTest, reason_of, soon, take, until


class _Renewing(AgentTest):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # One that can be moved away.
        self.folder = Path(folder.name) / "identity"
        self.folder.mkdir()

    def short_lived(self, agent: str, life_s: float, name: Optional[str] = None) -> Dict[str, Any]:
        """An agent whose certificate lasts for so long, registered, with its files."""
        issued = self.stage.ask("shortLived", agent=agent, lifeMs=life_s * 1000)
        certificate, key = self.folder / f"{name or agent}.pem", self.folder / f"{name or agent}.key"
        certificate.write_text(issued["certificate"])
        key.write_text(issued["key"])
        return {"url": issued["url"], "ca": issued["ca"], "certificate": certificate, "key": key}

    async def connected(self, options: Dict[str, Any]) -> agentworks.Agent:
        agent = await self.dialled({"recover": False, "reconnect": agentworks.Backoff(5, 50), **options})
        self.agents.append(agent)
        return agent

    async def dialled(self, options: Dict[str, Any]) -> agentworks.Agent:
        given: Dict[str, Any] = {"timeout_ms": 20_000, **options}
        return await agentworks.connect(**given)

    def administer(self, method: str, path: str, **more: Any) -> Any:
        answer = self.stage.ask("administer", method=method, path=path, **more)
        self.assertLess(answer["status"], 300, answer)
        return answer["body"]


def _files_of(options: Dict[str, Any]) -> IdentityFiles:
    return IdentityFiles(os.fspath(options["certificate"]), os.fspath(options["key"]))


def _pair_in(options: Dict[str, Any]) -> Identity:
    return Identity(options["certificate"].read_text(), options["key"].read_text())


def _facts_in(options: Dict[str, Any]) -> Facts:
    return facts_of(options["certificate"].read_text())


class Connecting(_Renewing):
    async def outlives(self, name: str, direct: bool) -> None:
        options = self.short_lived(name, 6)
        before = _facts_in(options)
        agent, peer = await self.connected({**options, "renew": True, "direct": direct}), await self.peer(
            f"{name}-peer"
        )
        await agent.handle("echo", lambda value: value)
        here, there = await self.session_between(agent, peer)
        statuses, messages, renewals = agent.status(), there.messages(), 0
        renewing = asyncio.ensure_future(until(statuses, CertificateRenewed))
        sent = 0
        while renewals < 2 or time.time() < before.not_after.timestamp():
            receipt = here.send(sent)
            self.assertEqual((await take(messages, 1))[0].content, sent)
            await soon(receipt)
            self.assertEqual(await soon(there.request("echo", sent)), sent)
            sent += 1
            if renewing.done():
                renewals += 1
                renewing = asyncio.ensure_future(until(statuses, CertificateRenewed))
        renewing.cancel()
        self.assertGreater(sent, 50)
        self.assertGreater(_facts_in(options).not_after, before.not_after)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), [f"{name}.key", f"{name}.pem"])
        for path in self.folder.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    async def peer(self, agent: str) -> agentworks.Agent:
        return await self.connected({**self.stage.certified(agent)})

    async def test_it_outlives_its_certificate_more_than_once_and_drops_nothing(self) -> None:
        await self.outlives("multiplexed", False)

    async def test_so_it_does_with_a_connection_for_each_session(self) -> None:
        await self.outlives("direct", True)

    async def test_it_says_what_is_wrong_and_tries_again_while_the_files_cannot_be_written(self) -> None:
        options = self.short_lived("stuck", 6)
        agent = await self.connected({**options, "renew": True})
        statuses = agent.status()
        # Not even root may write to a folder that is not there.
        away = self.folder.rename(self.folder.with_name("away"))
        self.assertEqual((await until(statuses, Fault)).error.reason, "renewal_failed")
        away.rename(self.folder)
        self.assertGreater((await until(statuses, CertificateRenewed)).not_after, datetime.now(timezone.utc))
        # Nothing was asked for while it could not be kept.
        self.assertEqual(len(self.administer("GET", "/v1/agents/stuck/certificates")["certificates"]), 2)
        await until(statuses, Connected)

    async def test_it_tries_again_before_the_end_while_the_broker_is_away(self) -> None:
        options = self.short_lived("patient", 9)
        before = _facts_in(options)
        async with Cable(urlsplit(options["url"]).port or 0) as cable:
            agent = await self.connected({**options, "url": f"wss://localhost:{cable.port}", "renew": True})
            statuses = agent.status()
            await cable.pull()
            error = (await until(statuses, Fault)).error
            self.assertEqual((error.reason, error.retryable), ("connection_failed", True))
            await cable.plug_in()
            renewed = await until(statuses, CertificateRenewed)
            self.assertGreater(renewed.not_after, before.not_after)
            self.assertLess(datetime.now(timezone.utc), before.not_after)
            await until(statuses, Connected)
            await agent.close()

    async def test_it_goes_on_with_the_present_one_while_the_broker_refuses_another(self) -> None:
        options = self.short_lived("refused", 9)
        path = "/v1/agents/refused/certificates"
        # As many as an agent may have.
        more = [
            self.administer("POST", path, body={"csr": make_key_and_request("refused").csr})["fingerprint"]
            for _ in range(19)
        ]
        agent = await self.connected({**options, "renew": True})
        statuses = agent.status()
        self.assertEqual((await until(statuses, Fault)).error.reason, "too_many_certificates")
        self.administer("DELETE", f"/v1/certificates/{more[0]}")
        await until(statuses, CertificateRenewed)
        await until(statuses, Connected)

    async def test_what_is_revoked_does_not_renew_itself(self) -> None:
        options = self.short_lived("revoked", 6)
        before = _pair_in(options)
        agent = await self.connected({**options, "renew": True})
        statuses = agent.status()
        listed = self.administer("GET", "/v1/agents/revoked/certificates")["certificates"]
        self.administer("DELETE", f"/v1/certificates/{listed[0]['fingerprint']}")
        self.assertEqual((await until(statuses, Disconnected)).code, 4403)
        told: "asyncio.Queue[AgentworksError]" = asyncio.Queue()

        class Events:
            def renewed(self, not_after: datetime) -> None:
                raise AssertionError("it was renewed")

            def renewal_failed(self, error: AgentworksError) -> None:
                told.put_nowait(error)

        credentials = Credentials(options["certificate"], options["key"], options["ca"])
        renewal = Renewal(urlsplit(options["url"]), _files_of(options), credentials, lambda: 0)
        renewal.start("revoked", Events())
        self.assertEqual((await soon(told.get())).reason, "certificate_revoked")
        renewal.stop()
        await renewal.wait_stopped()
        self.assertEqual(_pair_in(options), before)

    async def test_it_takes_the_certificate_that_another_process_has_renewed(self) -> None:
        options = self.short_lived("shared", 6)
        agent = await self.connected({**options, "renew": True})
        statuses = agent.status()
        fresh = _pair_in(self.short_lived("shared", 60, "elsewhere"))
        write_identity(_files_of(options), fresh)
        renewed = await until(statuses, CertificateRenewed)
        self.assertEqual(renewed.not_after, facts_of(fresh.certificate).not_after)
        await until(statuses, Connected)
        self.assertEqual(options["certificate"].read_text(), fresh.certificate)

    async def test_an_encrypted_key_is_replaced_by_an_encrypted_one(self) -> None:
        options = self.short_lived("locked", 4)
        command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", options["key"]]
        options["key"].write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
        agent = await self.connected({**options, "renew": True, "key_password": "secret"})
        statuses = agent.status()
        await until(statuses, CertificateRenewed)
        await until(statuses, Connected)
        self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", options["key"].read_text())
        await self.connected({**options, "key_password": "secret"})

    async def test_it_needs_files_and_the_package_cryptography_and_says_so(self) -> None:
        options = self.short_lived("inline", 60)
        pair = _pair_in(options)
        texts: List[Dict[str, Any]] = [
            {"certificate": pair.certificate},
            {"key": pair.key.encode()},
            {"reconnect": False},
        ]
        for more in texts:
            self.assertEqual(await reason_of(self.dialled({**options, **more, "renew": True})), "invalid_argument")
        program = (
            "import asyncio, sys; sys.modules['cryptography'] = None; import agentworks\n"
            "asyncio.run(agentworks.connect(url='wss://localhost:9', certificate='c', key='k', renew=True))"
        )
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[1]
        )
        self.assertIn("invalid_argument: `renew` needs the package cryptography", run.stderr)


class Judging(_Renewing):
    async def test_renewal_is_at_two_thirds_of_the_life_spread_a_little(self) -> None:
        facts = _facts_in(self.short_lived("timely", 299))
        begin = facts.not_before.timestamp()
        self.assertAlmostEqual(renewal_time(facts, 0) - begin, 200, delta=1)
        self.assertLessEqual(renewal_time(facts, 0.999) - begin, 215)

    async def test_an_answer_that_is_not_what_was_asked_for_is_not_used(self) -> None:
        present = _facts_in(self.short_lived("asker", 60))
        certificate, key = _pair_in(self.short_lived("asker", 120))
        other = _pair_in(self.short_lived("other", 120))
        now = datetime.now(timezone.utc)
        self.assertEqual(
            judge_answer({"agent_id": "asker", "certificate": certificate}, "asker", key, present, now), certificate
        )
        cases: List[Any] = [
            (None, present, now, "no certificate"),
            ({"agent_id": "other", "certificate": certificate}, present, now, "for other"),
            ({"agent_id": "asker", "certificate": "nonsense"}, present, now, "cannot be read"),
            ({"agent_id": "asker", "certificate": other.certificate}, present, now, "another key"),
            ({"agent_id": "asker", "certificate": certificate}, facts_of(certificate), now, "does not last longer"),
            ({"agent_id": "asker", "certificate": certificate}, present, now - timedelta(hours=1), "not valid yet"),
        ]
        for answer, than, at, why in cases:
            with self.subTest(why), self.assertRaisesRegex(AgentworksError, f"^renewal_failed: .*{why}"):
                judge_answer(answer, "asker", key, than, at)

    async def test_common_names(self) -> None:
        self.assertEqual(common_name_of(self.short_lived("named", 60)["certificate"].read_text()), "named")
        self.assertEqual(common_name_of(Path(self.stage.certified("x")["ca"]).read_text()), "agentworks development CA")
        for text in ("", "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----"):
            self.assertIsNone(common_name_of(text))

    def test_from_environment_says_what_is_missing(self) -> None:
        environment = {
            "AGENTWORKS_URL": "wss://localhost:1", "AGENTWORKS_CERT_FILE": "c", "AGENTWORKS_KEY_FILE": "k"
        }  # fmt: skip
        options = {"url": "wss://localhost:1", "certificate": "c", "key": "k", "renew": True}
        self.assertEqual(from_environment(environment), options)
        self.assertEqual(from_environment({**environment, "AGENTWORKS_CA_FILE": "ca"}), {**options, "ca": "ca"})
        with self.assertRaisesRegex(AgentworksError, "agentworks agent run FILE"):
            from_environment({})


class Files(_Renewing):
    async def test_a_process_that_died_between_them_leaves_a_pair_that_is_used_and_put_right(self) -> None:
        options = self.short_lived("halfway", 60)
        old = _pair_in(options)
        fresh = _pair_in(self.short_lived("halfway", 60))
        files = _files_of(options)
        write_identity(files, fresh)
        # As far as write_identity comes when it dies after the first of its two renames.
        options["certificate"].write_text(old.certificate)
        self.assertEqual((await self.connected(options)).id, "halfway")
        self.assertEqual(options["certificate"].read_text(), old.certificate)
        self.assertEqual((await self.connected({**options, "renew": True})).id, "halfway")
        self.assertEqual(options["certificate"].read_text(), fresh.certificate)
        options["certificate"].unlink()
        settle_identity(files)
        self.assertEqual(options["certificate"].read_text().strip(), fresh.certificate.strip())

    async def test_files_of_two_agents_are_no_pair_and_left_alone(self) -> None:
        one, other = self.short_lived("one", 60), self.short_lived("other", 60)
        # Another agent's certificate is with its key: nobody becomes that by a wrong path.
        write_identity(_files_of(other), _pair_in(other))
        mixed = {**one, "key": other["key"]}
        before = one["certificate"].read_text()
        settle_identity(_files_of(mixed))
        self.assertEqual((read_pair(_files_of(mixed)), one["certificate"].read_text()), (None, before))
        self.assertEqual(await reason_of(self.dialled(mixed)), "invalid_argument")

    async def test_they_are_their_owners_alone_and_drafts_of_the_dead_are_removed_when_they_are_old(self) -> None:
        options = self.short_lived("kept", 60)
        options["certificate"].chmod(0o666)
        write_identity(_files_of(options), _pair_in(options))
        old, young = (options["key"].with_name(f"kept.key.{digit * 16}.new") for digit in "01")
        mine = options["key"].with_name("kept.key.mine.new")
        for path in (old, young, mine):
            path.write_text("half a k")
        os.utime(old, (0, 0))
        settle_identity(_files_of(options))
        left = {options["certificate"], options["key"], young, mine}
        self.assertEqual(set(self.folder.iterdir()), left)
        for path in (options["certificate"], options["key"]):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    async def test_processes_that_replace_them_at_once_and_die_at_any_moment_never_leave_a_pair_that_does_not_fit(
        self,
    ) -> None:
        options = self.short_lived("contested", 60)
        files, folders = _files_of(options), []
        for name in ("a", "b"):
            pair = _pair_in(self.short_lived("contested", 60, "other"))
            folders.append(self.folder / name)
            folders[-1].mkdir()
            for part, text in zip(("cert.pem", "key.pem"), pair):
                (folders[-1] / part).write_text(text)
        steady = self.start(files, folders)
        self.addCleanup(self.end, steady)
        for life in range(6):
            one = self.start(files, folders[::-1])
            assert one.stdout is not None
            for written, _ in enumerate(one.stdout):
                self.assertIsNotNone(read_pair(files))
                if written == 10 + life * 7:
                    one.send_signal(signal.SIGKILL)
            self.end(one)
            self.assertIsNotNone(read_pair(files))
        self.end(steady)
        settle_identity(files)
        self.assertTrue(is_pair(options["certificate"].read_text(), options["key"].read_text()))

    def start(self, files: IdentityFiles, folders: List[Path]) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.renewal_program", *files[:2], *map(str, folders)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])

    def end(self, process: "subprocess.Popen[str]") -> None:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


if __name__ == "__main__":
    unittest.main()
