"""The source itself: what Python it needs, what the core imports, and that its types hold."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Iterator

_package = Path(__file__).resolve().parents[1] / "agentworks"
_repository = _package.parents[2]
#: All that the core may use beside itself: values in, values out.
_core_imports = {
    "__future__", "calendar", "collections", "collections.abc", "dataclasses", "enum", "json", "re", "types", "typing"
}  # fmt: skip


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


class Source(unittest.TestCase):
    def test_every_file_is_python_3_9(self) -> None:
        files = [*_package.parent.rglob("*.py"), *_repository.glob("examples/python/*.py")]
        self.assertGreater(len(files), 40)
        for file in files:
            with self.subTest(file.name):
                ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))

    def test_the_core_has_no_clock_no_dice_no_wire_and_no_await(self) -> None:
        for file in (_package / "protocol").glob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            with self.subTest(file.name):
                foreign = {name for name in _imports(tree) if not name.startswith(".") and name not in _core_imports}
                self.assertEqual(foreign, set())
                self.assertFalse([name for name in _imports(tree) if name.startswith("..")])
                self.assertFalse(
                    [node for node in ast.walk(tree) if isinstance(node, (ast.Await, ast.AsyncFunctionDef))]
                )

    def test_nothing_is_imported_but_the_standard_library_websockets_and_for_renewal_cryptography(self) -> None:
        known = getattr(sys, "stdlib_module_names", None)
        if known is None:
            self.skipTest("this Python does not list its standard library")
        for file in _package.rglob("*.py"):
            more = {"cryptography"} if file.name == "signing_request.py" else {"websockets"}
            names = {name.split(".")[0] for name in _imports(ast.parse(file.read_text(encoding="utf-8")))}
            with self.subTest(file.name):
                self.assertEqual({name for name in names if name and name not in known}, names & more)

    def test_types(self) -> None:
        mypy = shutil.which("mypy") or ("mypy" if importlib.util.find_spec("mypy") else None)
        if mypy is None:
            self.skipTest("mypy is not installed (Debian: apt-get install mypy)")
        with tempfile.TemporaryDirectory() as cache:
            run = subprocess.run(
                [mypy, "--cache-dir", cache, "agentworks", "tests"],
                cwd=_package.parent,
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                capture_output=True,
                text=True,
            )
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main()
