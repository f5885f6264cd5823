"""kill -9 at random moments, again and again: no row is lost, doubled or different."""

import random
import signal
import subprocess
import time
import unittest

from tq_command import TQ, TinyTest, read_rows, without_seconds

COUNT = 40


class KillTest(TinyTest):
    def check(self, seed, *args, threads=1):
        args = ("--prompts", self.write_prompts(COUNT), "--decoder", "tq", "--reward",
                "words=you good", "--top-k", 4, "--horizon", 5, "--max-tokens", 40, *args, "--out")
        whole, out = self.folder / "whole.jsonl", self.folder / "out.jsonl"
        self.assert_ok(self.generate(*args, whole, threads=threads))
        expected = {row["id"]: without_seconds(row) for row in read_rows(whole)}
        self.assertEqual(len(expected), COUNT)

        command = [TQ, "generate", "--model", self.model, "--threads", threads, *args, out]
        draw = random.Random(seed)
        killed = 0
        code = None
        while code != 0:
            process = subprocess.Popen(list(map(str, command)), cwd=self.folder, env=self.env(),
                                       stderr=subprocess.PIPE)
            if killed < 8:
                self.kill_after(process, out, draw)
            _, err = process.communicate(timeout=300)
            code = process.returncode
            self.assertIn(code, (0, -signal.SIGKILL), err)
            killed += code != 0
            if out.exists():
                self.check_rows(out, expected)
        self.assertGreaterEqual(killed, 3)
        self.assertEqual({row["id"] for row in read_rows(out)}, set(expected))

    def kill_after(self, process, out, draw):
        """Waits until some more rows are there and then for a moment more."""
        before = out.stat().st_size if out.exists() else 0
        rows = draw.randrange(6)
        while process.poll() is None:
            size = out.stat().st_size if out.exists() else 0
            if size > before + 400 * rows or rows == 0:
                break
            time.sleep(0.0005)
        time.sleep(draw.uniform(0, 0.05))
        process.kill()

    def check_rows(self, out, expected):
        # A kill does not tear a line that one call wrote, so the file is whole at once.
        rows = read_rows(out)
        self.assertEqual(len({row["id"] for row in rows}), len(rows), "a row is doubled")
        for row in rows:
            self.assertEqual(without_seconds(row), expected[row["id"]])

    def test_one_at_a_time(self):
        self.check(1)

    def test_two_together(self):
        self.check(2, "--together", 2, threads=2)


if __name__ == "__main__":
    unittest.main()
