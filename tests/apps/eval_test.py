"""`tq eval` from a setup to rows, and `tq report` of them: whole, in shards, broken off, again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from tq_command import TQ, TinyTest, read_rows

REFERENCE = Path(__file__).resolve().parent.parent / "reference" / "eval_metrics.py"
RUNS = {"plain": "sample", "transfer": "tq", "best of 4": "best-of", "greedy": "greedy"}
SETUP = """
name = "Words of a tiny model"
description = "Made by a test."
model = "{model}"
reward = "words=you good"
max-tokens = 20
top-k = 4
horizon = 4
samples = 4
seeds = [0, 7]
against = "plain"

[data]
prompts = "data/prompts.jsonl"
sample = 6
seed = 3

[metrics]
rewards = {{length = "length=9", rain = {{words = "rain sea"}}}}
perplexity = true
embedding = "{encoder}"

[judge]
policy = "{model}"
ask = "logits"

[[decoder]]
name = "plain"
decoder = "sample"

[[decoder]]
name = "transfer"
decoder = "tq"
alpha = 0.3

[[decoder]]
name = "best of 4"
decoder = "best-of"

[[decoder]]
name = "greedy"
"""
ANSWERS = len(RUNS) * 2 * 6
JUDGEMENTS = (len(RUNS) - 1) * 2 * 6


def by_id(rows):
    """Rows without the header and what a clock said."""
    return {row["id"]: {k: v for k, v in row.items() if k != "seconds"}
            for row in rows if row["id"] != "#setup"}


def without_places(markdown):
    """A report without its seconds, and the lines on where it was made."""
    lines = []
    for line in markdown.splitlines():
        if re.match(r"- (shards|machine): |tq eval ", line):
            continue
        cells = line.split(" | ")
        if len(cells) == 10:  # text and cost: seconds are the last but one
            del cells[8]
        lines.append(" | ".join(cells))
    return lines


class EvalTest(TinyTest):
    kept = None  # the setup and the rows of the whole experiment

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.encoder = cls.make("encoder", "encoder.gguf")

    def setUp(self):
        super().setUp()
        (self.folder / "data").mkdir()
        self.write_prompts(8, "data/prompts.jsonl")
        self.setup = self.write("setup.toml", SETUP.format(model=self.model, encoder=self.encoder))

    def command(self, out, *more):
        return (TQ, "eval", self.setup, "--out", out, "--threads", 1, *more)

    def eval(self, out="r.jsonl", *more):
        return self.tq(*self.command(out, *more)[1:])

    def start(self, out, *more):
        return subprocess.Popen(list(map(str, self.command(out, *more))), cwd=self.folder,
                                env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def rows(self, out="r.jsonl"):
        return read_rows(self.folder / out)

    def whole(self):
        """The rows of the whole experiment, in r.jsonl; it is carried out once for all tests."""
        path = self.folder / "r.jsonl"
        if self.kept is None:
            done = self.assert_ok(self.eval())
            self.assertEqual((done.out, done.err), ("", ""))
            type(self).kept = (self.setup, path.read_bytes())
        else:  # whose header names the setup's path
            setup, content = self.kept
            path.write_bytes(content.replace(str(setup).encode(), str(self.setup).encode()))
        return self.rows()

    def test_the_rows(self):
        rows = self.whole()
        self.check_header(rows[0])
        answers = [row for row in rows if "response" in row]
        judgements = [row for row in rows if "verdict" in row]
        self.assertEqual((len(answers), len(judgements)), (ANSWERS, JUDGEMENTS))
        self.assertEqual(len(rows), 1 + ANSWERS + JUDGEMENTS)
        self.assertEqual(len(by_id(rows)), ANSWERS + JUDGEMENTS)
        self.assertEqual({row["settings"] for row in rows}, {rows[0]["settings"]})
        prompts = {row["prompt_id"] for row in answers}
        self.assertEqual(len(prompts), 6)
        asked = {row["id"]: row["prompt"] for row in read_rows(self.folder / "data/prompts.jsonl")}
        for row in answers:
            self.assertEqual(row["id"], f"{row['run']}/{row['seed']}/{row['prompt_id']}")
            self.assertEqual(row["decoder"], RUNS[row["run"]])
            self.assertEqual(row["prompt"], asked[row["prompt_id"]])
            self.check_answer(row)
        self.assertTrue(any(row["changed"] for row in answers if row["run"] == "transfer"))
        self.assertFalse(any(row["changed"] for row in answers if row["run"] != "transfer"))
        for row in judgements:
            self.assertEqual(row["id"], f"judge/{row['run']}/{row['seed']}/{row['prompt_id']}")
            self.assertEqual(row["against"], "plain")
            self.assertNotEqual(row["run"], "plain")
        # Draws differ by seed, and a run without draws does not.
        for run in RUNS:
            texts = [{row["prompt_id"]: row["response"] for row in answers
                      if (row["run"], row["seed"]) == (run, seed)} for seed in (0, 7)]
            (self.assertEqual if run == "greedy" else self.assertNotEqual)(*texts)

    def check_header(self, row):
        self.assertEqual(row["id"], "#setup")
        self.assertEqual(row["name"], "Words of a tiny model")
        self.assertEqual(row["setup"], self.setup.read_text())
        self.assertEqual([(run["name"], run["decoder"]) for run in row["runs"]],
                         list(RUNS.items()))
        self.assertEqual(row["runs"][1]["settings"]["alpha"], "0.3")
        self.assertEqual(row["runs"][1]["settings"]["max-tokens"], "20")
        self.assertEqual((row["against"], row["seeds"], row["shard"]), ("plain", [0, 7], "1/1"))
        self.assertEqual(sorted(row["rewards"]), ["length", "rain"])
        data = row["data"]
        self.assertEqual((data["file"], data["prompts"], data["sampled"], data["seed"]),
                         ("prompts.jsonl", 8, 6, 3))
        self.assertRegex(data["sha256"], r"\A[0-9a-f]{64}\Z")
        models = row["models"]
        self.assertEqual({role: model["name"] for role, model in models.items()}, {
            "reference": self.model.name, "embedding": str(self.encoder),
            "reward": "words=good you,avoid=,cap=0",
            "unseen reward of length": "length=9",
            "unseen reward of rain": "words=rain sea,avoid=,cap=0",
            "judge": f"{self.model} (logits)"})
        self.assertEqual(models["reference"].keys(), {"name", "file", "format", "digest"})
        self.assertEqual(models["reference"]["format"], "chat")
        for role in ("reference", "embedding", "judge"):  # the name of a rule says it all
            self.assertRegex(models[role]["digest"], r"\A[0-9a-f]{64}\Z")
        self.assertEqual(row["machine"]["cores"], os.cpu_count())
        self.assertEqual(row["command"], f"tq eval {self.setup} --out r.jsonl")

    def check_answer(self, row):
        good = sum(row["response"].lower().split().count(w) for w in ("you", "good"))
        self.assertGreaterEqual(row["reward"], good)  # by the words as they stand, and more
        metrics = row["metrics"]
        self.assertEqual(metrics["words"], len(row["response"].split()))
        self.assertEqual(metrics["rewards"].keys(), {"length", "rain"})
        if row["response"]:
            self.assertTrue(-1 <= metrics["coherence"] <= 1)
        self.assertGreaterEqual(metrics["perplexity"], 1)
        for begin, end in row["changed"]:
            self.assertTrue(0 <= begin < end <= len(row["response"]), row)

    def test_an_unseen_reward_is_that_of_tq_score(self):
        answers = [row for row in self.whole() if "response" in row]
        self.write("score.jsonl", "".join(
            json.dumps({"id": row["id"], "prompt": row["prompt"], "response": row["response"]})
            + "\n" for row in answers))
        scored = self.assert_ok(self.tq("score", "score.jsonl", "--reward", "length=9", "--model",
                                        self.model, "--json", "--threads", 1)).rows()
        self.assertEqual(len(scored), len(answers))
        for row, score in zip(answers, scored):
            self.assertEqual(row["metrics"]["rewards"]["length"], score["reward"])

    def test_an_independent_computation_agrees(self):
        self.whole()
        done = subprocess.run([sys.executable, "-B", REFERENCE, self.folder / "r.jsonl"],
                              check=False, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{ANSWERS + JUDGEMENTS} rows compared, 0 differences",
                      done.stderr.decode())
        runs = {row["run"]: row for row in map(json.loads, done.stdout.decode().splitlines())}
        self.assertEqual(runs.keys(), RUNS.keys())
        markdown = self.assert_ok(self.tq("report", "r.jsonl")).out
        for run, figures in runs.items():  # the report's means, in as many places as it has
            line = next(x for x in markdown.splitlines() if x.startswith(f"| {run} | 6 |"))
            said = line.split("|")[3].split()[0]
            self.assertEqual(said, f"{figures['reward']['mean']:.3f}", line)

    def test_report(self):
        self.whole()
        done = self.assert_ok(self.tq("report", "r.jsonl", "--out", "r.html"))
        self.assertEqual((done.out, done.err), ("", ""))
        page = (self.folder / "r.html").read_text(encoding="utf-8")
        self.assertIn("Words of a tiny model", page)
        markdown = self.assert_ok(self.tq("report", "r.jsonl")).out
        for words in ("| transfer | 6 |", "## Unseen reward: length", "## Unseen reward: rain",
                      "## Judge", f"tq eval {self.setup} --out r.jsonl"):
            self.assertIn(words, markdown)
        self.assertNotIn("missing", markdown)

    def test_four_shards_at_once_are_the_whole(self):
        whole = self.whole()
        names = [f"s-{i}.jsonl" for i in range(1, 5)]
        shards = [self.start(name, "--shard", f"{i}/4") for i, name in enumerate(names, 1)]
        for shard in shards:
            out, err = shard.communicate(timeout=300)
            self.assertEqual((shard.returncode, out, err), (0, b"", b""))
        parts = [self.rows(name) for name in names]
        self.assertEqual([part[0]["shard"] for part in parts], ["1/4", "2/4", "3/4", "4/4"])
        self.assertEqual(parts[2][0]["command"],
                         f"tq eval {self.setup} --shard 3/4 --out s-3.jsonl")
        together = {}
        for part in parts:
            mine = by_id(part)
            self.assertFalse(mine.keys() & together.keys())
            together.update(mine)
        self.assertEqual(together, by_id(whole))
        # Each has whole prompts, and the sample's first goes to the first.
        self.assertEqual([len({row["prompt_id"] for row in part[1:]}) for part in parts],
                         [2, 2, 1, 1])
        one = without_places(self.assert_ok(self.tq("report", "r.jsonl")).out)
        for order in (names, names[::-1]):
            many = self.assert_ok(self.tq("report", *order)).out
            self.assertEqual(without_places(many), one)
        some = self.assert_ok(self.tq("report", *names[1:])).out
        self.assertRegex(some, rf"{2 * len(RUNS) * 2} of {ANSWERS} responses are missing")

        # A shard again adds nothing; in another's file it is another part of the same experiment.
        before = (self.folder / "s-2.jsonl").read_bytes()
        self.assert_ok(self.eval("s-2.jsonl", "--shard", "2/4"))
        self.assertEqual((self.folder / "s-2.jsonl").read_bytes(), before)
        self.assert_ok(self.tq("report", *names, "s-2.jsonl"))

    def test_two_processes_cannot_write_one_file(self):
        first = self.start("r.jsonl")
        self.wait_for_rows(first, "r.jsonl", 1)
        first.send_signal(signal.SIGSTOP)
        self.assert_fails(self.eval(), 1, "another run", "--out")
        first.send_signal(signal.SIGCONT)
        self.assertEqual(first.communicate(timeout=300)[1], b"")
        self.assertEqual(len(self.rows()), 1 + ANSWERS + JUDGEMENTS)

    def test_once_finished_nothing_is_added(self):
        self.whole()
        before = (self.folder / "r.jsonl").read_bytes()
        self.assert_ok(self.eval())
        self.assertEqual((self.folder / "r.jsonl").read_bytes(), before)

    def wait_for_rows(self, process, out, count):
        path = self.folder / out
        while not path.exists() or path.read_bytes().count(b"\n") < count:
            self.assertIsNone(process.poll(), "it ended before it could be interrupted")
            time.sleep(0.001)

    def test_interrupted_it_goes_on(self):
        expected = by_id(self.whole())
        for number, count in ((signal.SIGINT, 5), (signal.SIGTERM, ANSWERS + 4)):
            with self.subTest(signal=number.name):
                out = f"{number.name}.jsonl"
                process = self.start(out)
                self.wait_for_rows(process, out, count)
                process.send_signal(number)
                said, err = process.communicate(timeout=300)
                self.assertEqual((process.returncode, said), (130, b""), err)
                by = f"{number.name} from process {os.getpid()}"  # whose signal it was
                self.assertRegex(err.decode(), rf"\Atq: interrupted \({by}\); [^\n]+\n\Z")
                self.assertIn(out, err.decode())
                rows = by_id(self.rows(out))
                self.assertTrue(count - 1 <= len(rows) < len(expected), len(rows))
                self.assert_ok(self.eval(out))
                self.assertEqual(by_id(self.rows(out)), expected)

    def test_models_are_found_from_the_setup(self):
        (self.folder / "sub").mkdir()
        shutil.copy(self.model, self.folder / "sub" / "m.gguf")
        shutil.copy(self.encoder, self.folder / "sub" / "e.gguf")
        self.write_prompts(2, "sub/prompts.jsonl")
        self.write("sub/s.toml", """
            model = "m.gguf"
            max-tokens = 4
            [data]
            prompts = "prompts.jsonl"
            [metrics]
            embedding = "e.gguf"
            rewards = {like = {similar = "a good day", model = "e.gguf"}}
            [judge]
            policy = "m.gguf"
            ask = "logits"
            [[decoder]]
            name = "plain"
            [[decoder]]
            name = "sampling"
            decoder = "sample"
            """)
        for folder, setup in ((self.folder, "sub/s.toml"), (self.folder / "sub", "s.toml")):
            self.assert_ok(self.tq("eval", setup, "--out", "o.jsonl", "--threads", 1, cwd=folder))
        rows = self.rows("o.jsonl")
        self.assertEqual(len(rows), 1 + 4 + 2)
        self.assertEqual(by_id(rows).keys(), by_id(self.rows("sub/o.jsonl")).keys())
        self.assertEqual(rows[0]["settings"], self.rows("sub/o.jsonl")[0]["settings"])

    def test_several_at_once_answer_the_same(self):
        expected = by_id(self.whole())
        self.assert_ok(self.tq("eval", self.setup, "--out", "two.jsonl", "--threads", 2,
                               "--together", 2))
        self.assertEqual(by_id(self.rows("two.jsonl")), expected)

    def test_a_prompt_that_fails_is_a_row_and_the_rest_goes_on(self):
        small = self.make("model", "small.gguf", "--context", 128)
        rows = [{"id": "short", "prompt": "Hi"}, {"id": "long", "prompt": "word " * 200},
                {"id": "other", "prompt": "The sea"}]
        self.write("data/prompts.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.setup = self.write("small.toml", f"""
            model = "{small}"
            reward = "length=9"
            max-tokens = 8
            [data]
            prompts = "data/prompts.jsonl"
            [judge]
            policy = "{self.model}"
            ask = "logits"
            [[decoder]]
            name = "plain"
            [[decoder]]
            name = "best"
            decoder = "best-of"
            samples = 2
            """)
        done = self.eval()
        self.assert_fails(done, 1, "run 'best', prompt 'long'", "context", "1 more failed",
                          "r.jsonl", "tries again")
        rows = by_id(self.rows())
        self.assertEqual(set(rows), {"error/plain/0/long", "error/best/0/long", "plain/0/short",
                                     "plain/0/other", "best/0/short", "best/0/other",
                                     "judge/best/0/short", "judge/best/0/other"})
        failed = rows["error/best/0/long"]
        self.assertEqual((failed["run"], failed["prompt_id"], failed["seed"]), ("best", "long", 0))
        self.assertIn("context", failed["error"])
        before = (self.folder / "r.jsonl").read_bytes()
        self.assertEqual(self.eval().code, 1)  # tried again, told again, written once
        self.assertEqual((self.folder / "r.jsonl").read_bytes(), before)
        markdown = self.assert_ok(self.tq("report", "r.jsonl")).out
        self.assertIn("2 responses failed", markdown)
        self.assertIn("| best | 2 |", markdown)


if __name__ == "__main__":
    unittest.main()
