"""Ctrl-C and SIGTERM: exit 130 with one line; the results file stays whole and resumes."""

import signal
import subprocess
import time
import unittest

from tq_command import TQ, TinyTest, read_rows, without_seconds

COUNT = 30
SLOW = ("--decoder", "tq", "--reward", "length=9", "--top-k", 6, "--horizon", 8, "--max-tokens", 60)


class InterruptTest(TinyTest):
    def start(self, *args, **options):
        command = [TQ, "generate", "--threads", 1, *args]
        if "--model" not in args:
            command += ["--model", self.model]
        return subprocess.Popen(list(map(str, command)), cwd=self.folder, env=self.env(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def end(self, process):
        out, err = process.communicate(timeout=300)
        return process.returncode, out.decode(), err.decode()

    def wait_for(self, process, condition):
        while not condition():
            self.assertIsNone(process.poll(), "it ended before it could be interrupted")
            time.sleep(0.001)

    def test_many_prompts(self):
        args = ("--prompts", self.write_prompts(COUNT), *SLOW, "--together", 1, "--out")
        whole = self.folder / "whole.jsonl"
        self.assert_ok(self.generate(*args, whole))
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name):
                out = self.folder / f"{number.name}.jsonl"
                process = self.start(*args, out)
                self.wait_for(process, lambda: out.exists() and out.read_bytes().count(b"\n") >= 2)
                process.send_signal(number)
                code, printed, err = self.end(process)
                self.assertEqual((code, printed), (130, ""), err)
                self.assertRegex(err, r"\Atq: [^\n]+\n\Z")
                rows = read_rows(out)
                self.assertGreaterEqual(len(rows), 2)
                self.assertLess(len(rows), COUNT)
                self.assert_ok(self.generate(*args, out))
                self.assertEqual([without_seconds(row) for row in read_rows(out)],
                                 [without_seconds(row) for row in read_rows(whole)])

    def test_rows_on_standard_output(self):
        process = self.start("--prompts", self.write_prompts(COUNT), "--json", *SLOW)
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        code, rest, err = self.end(process)
        self.assertEqual(code, 130, err)
        self.assertTrue(first.endswith(b"\n"))
        self.assertTrue(rest == "" or rest.endswith("}\n"))

    def test_one_prompt(self):
        model = self.make("model", "long.gguf", "--context", 100000)
        for decoder in ("best-of", "tq", "official"):
            with self.subTest(decoder=decoder):
                process = self.start("Hi", "--decoder", decoder, "--reward", "length=9",
                                     "--samples", 100000, "--horizon", 100, "--rollouts", 20,
                                     "--max-tokens", 20000, "--model", model)
                self.wait_for(process, lambda: self.blocks_interrupts(process))
                if decoder != "best-of":  # which prints at its end
                    process.stdout.read(1)
                process.send_signal(signal.SIGINT)
                code, _, err = self.end(process)
                self.assertEqual(code, 130, err)
                self.assertRegex(err, r"\Atq: [^\n]+\n\Z")

    def blocks_interrupts(self, process):
        """Whether it waits for signals by now instead of dying of them."""
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            blocked = next(line for line in status if line.startswith("SigBlk")).split()[1]
        return int(blocked, 16) >> (signal.SIGINT - 1) & 1

    def test_twice(self):
        process = self.start("--prompts", self.write_prompts(COUNT), "--json", *SLOW)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        self.assertIn(self.end(process)[0], (130, -signal.SIGINT))


if __name__ == "__main__":
    unittest.main()
