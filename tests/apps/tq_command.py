"""Runs the command `tq` for its tests.

The environment names the binaries: TQ is the command, MAKE_TINY writes small models.
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import NamedTuple

TQ = os.environ.get("TQ", "tq")
MAKE_TINY = os.environ.get("MAKE_TINY", "make_tiny")


class Result(NamedTuple):
    code: int
    out: str
    err: str

    def rows(self):
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**changes):
    """This process's environment with changes; None removes a variable."""
    env = dict(os.environ)
    env.pop("NO_COLOR", None)
    for name, value in changes.items():
        env.pop(name, None)
        if value is not None:
            env[name] = str(value)
    return env


def run(*args, stdin=b"", cwd=None, env=None, timeout=300, **options):
    """Runs tq to its end. Bytes that are not UTF-8 in its output fail the test."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run([TQ, *args], input=stdin, cwd=cwd, timeout=timeout, check=False,
                          env=environment() if env is None else env,
                          stdout=options.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, **options)
    return Result(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


def without_seconds(row):
    """What must be equal in two runs of the same settings."""
    return {key: value for key, value in row.items() if key != "seconds"}


def read_rows(path):
    """The rows of a results file, which must be whole."""
    data = Path(path).read_bytes()
    assert data == b"" or data.endswith(b"\n"), f"torn last line: {data[-80:]!r}"
    return [json.loads(line) for line in data.decode().splitlines()]


class CommandTest(unittest.TestCase):
    """A folder for each class and one for each test; assertions on what tq said.

    TQ_MODELS_DIR is the environment's own for tests of the default model, and else an empty
    folder, as is the cache, so that nothing depends on what the machine has.
    """

    real = False

    @classmethod
    def setUpClass(cls):
        cls.shared = Path(tempfile.mkdtemp(prefix="tq-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.models_dir = os.environ.get("TQ_MODELS_DIR") if cls.real else cls.shared / "models"

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir=self.shared))

    def env(self, **changes):
        cache = {} if self.real else {"XDG_CACHE_HOME": self.shared / "cache"}
        return environment(**{"TQ_MODELS_DIR": self.models_dir, **cache, **changes})

    def tq(self, *args, env=None, **options):
        options.setdefault("cwd", self.folder)
        return run(*map(str, args), env=env or self.env(), **options)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def write_prompts(self, count, name="prompts.jsonl"):
        topics = ("the sea", "a good day", "two old friends", "rain", "you and the moon")
        rows = [{"id": f"p{i}", "prompt": f"Say {i} words about {topics[i % len(topics)]}."}
                for i in range(count)]
        return self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def assert_ok(self, result):
        self.assertEqual(result.code, 0, result.err)
        return result

    def assert_fails(self, result, code, *words):
        """One line on standard error that has all of `words`, and nothing on standard output."""
        self.assertEqual(result.out, "")
        self.assert_message(result, code, *words)

    def assert_message(self, result, code, *words):
        self.assertEqual(result.code, code, result.err)
        self.assertRegex(result.err, r"\Atq: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, result.err)


class TinyTest(CommandTest):
    """Tests on a small model with random weights, self.model."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.models_dir.mkdir()
        cls.model = cls.make("model", "tiny.gguf")

    @classmethod
    def make(cls, kind, name, *options):
        """Writes a model, LoRA adapter or control vector."""
        path = cls.shared / name
        subprocess.run([MAKE_TINY, kind, path, *map(str, options)], check=True)
        return path

    @classmethod
    def convert(cls, type_name):
        """The model with its weights in another type."""
        path = cls.shared / f"tiny-{type_name}.gguf"
        subprocess.run([MAKE_TINY, "convert", cls.model, path, type_name], check=True)
        return path

    def generate(self, *args, model=None, threads=1, **options):
        return self.tq("generate", "--model", model or self.model, "--threads", threads, *args,
                       **options)

    def row(self, *args, **options):
        """The one JSON row of a run that must succeed."""
        rows = self.assert_ok(self.generate("--json", *args, **options)).rows()
        self.assertEqual(len(rows), 1)
        return rows[0]
