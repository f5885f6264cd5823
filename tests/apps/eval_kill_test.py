"""Experiments under SIGKILL at random moments, resumed: exactly the rows of an unbroken run.

The environment's EXPERIMENT_RUN is tests/eval/experiment_run.cpp: an experiment on a table, whose
rows are exact to the bit.
"""

import json
import os
import random
import signal
import subprocess
import time
import unittest

from tq_command import TQ, TinyTest, read_rows

EXPERIMENT_RUN = os.environ.get("EXPERIMENT_RUN", "experiment_run")


def sorted_rows(path):
    """The text of each row but for what a clock and a machine say, as they may be in any order."""
    rows = []
    for row in read_rows(path):
        row.pop("seconds", None)
        if row["id"] == "#setup":
            row.pop("machine", None)
            row.pop("command", None)  # which names the file
        rows.append(json.dumps(row, ensure_ascii=False))
    return sorted(rows)


class EvalKillTest(TinyTest):
    def run_to_its_end(self, command):
        done = subprocess.run(list(map(str, command)), cwd=self.folder, env=self.env(), check=False,
                              capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)

    def check(self, command, kills, seed, inside):
        """`command(out)` killed so often, of which at least `inside` leave the file unfinished."""
        whole = self.folder / "whole.jsonl"
        self.run_to_its_end(command(whole))
        expected, size = sorted_rows(whole), whole.stat().st_size
        self.run_to_its_end(command(whole))  # nothing is left to do
        self.assertEqual(sorted_rows(whole), expected)
        self.assertEqual(len(set(expected)), len(expected))

        draw = random.Random(seed)
        killed, unfinished, grown, part = 0, 0, 0, 0
        while killed < kills:  # a run that is done before the last kill is begun anew
            part += 1
            out = self.folder / f"out-{part}.jsonl"
            code = None
            while code != 0:
                before = out.stat().st_size if out.exists() else 0
                more = draw.uniform(0, 2 * size / kills)
                code = self.run_or_kill(command(out), killed < kills and (out, before + more), draw)
                if code == 0:
                    continue
                killed += 1
                after = out.stat().st_size if out.exists() else 0
                self.assertGreaterEqual(after, before, "a kill took rows away")
                unfinished += 0 < after < size - 100
                grown += after > before
                if after:
                    rows = sorted_rows(out)  # whole lines
                    self.assertLessEqual(set(rows), set(expected))
            self.assertEqual(sorted_rows(out), expected)
        self.assertGreaterEqual(unfinished, inside, "kills came too late or too early")
        self.assertGreaterEqual(grown, inside // 2, "no rows between the kills")

    def run_or_kill(self, command, kill, draw):
        """Kills it a moment after the file `kill[0]` has `kill[1]` bytes, however fast the machine."""
        process = subprocess.Popen(list(map(str, command)), cwd=self.folder, env=self.env(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if kill:
            out, size = kill
            while process.poll() is None and (out.stat().st_size if out.exists() else 0) < size:
                time.sleep(0.0002)
            time.sleep(draw.uniform(0, 0.003))
            process.kill()
        _, err = process.communicate(timeout=300)
        self.assertIn(process.returncode, (0, -signal.SIGKILL), err)
        return process.returncode

    def test_on_a_table(self):
        self.check(lambda out: (EXPERIMENT_RUN, out, 40, 1), kills=20, seed=1, inside=8)

    def test_on_a_table_with_several_workers(self):
        self.check(lambda out: (EXPERIMENT_RUN, out, 20, 3), kills=8, seed=2, inside=3)

    def test_the_command(self):
        self.write_prompts(12)
        setup = self.write("setup.toml", f"""
            model = "{self.model}"
            reward = "words=you good"
            max-tokens = 24
            top-k = 4
            horizon = 4
            samples = 4
            seeds = [0, 1]
            against = "plain"
            [data]
            prompts = "prompts.jsonl"
            [metrics]
            rewards = {{length = "length=9"}}
            perplexity = true
            [judge]
            policy = "{self.model}"
            ask = "generate"
            max-tokens = 4
            prompt = "judge.txt"
            [[decoder]]
            name = "plain"
            decoder = "sample"
            [[decoder]]
            name = "transfer"
            decoder = "tq"
            [[decoder]]
            name = "best of 4"
            decoder = "best-of"
            """)
        self.write("judge.txt", "{prompt} 1 {first} 2 {second}\n")
        self.check(lambda out: (TQ, "eval", setup, "--out", out, "--threads", 1), kills=5, seed=3,
                   inside=2)


if __name__ == "__main__":
    unittest.main()
