"""The library's metrics against eval_metrics.py: on 120 answers of a model, on its own figures.

The environment's METRICS_DUMP is tests/eval/metrics_dump.cpp.
"""

import copy
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import eval_metrics as reference

METRICS_DUMP = os.environ.get("METRICS_DUMP", "metrics_dump")
MAKE_TINY = os.environ.get("MAKE_TINY", "make_tiny")
FIXTURES = Path(__file__).parent.parent / "fixtures" / "eval"
ODD_TEXTS = ["", " ", "one", "a b", "a b c", "a b c d", "x " * 50, "\u00a0a\u2003b\u3000c\u0085d",
             "a\u200bb c\u2060d", "\x1ca\x1db\x1ee\x1ff", "nul \x00 inside", "\U0001f600 " * 9,
             "A a A a", "tab\tnew\nline\r\nend", "\u1680a\u2028b\u2029c\u202fd\u205fe"]


def dump(rows, *args):
    done = subprocess.run([METRICS_DUMP, *map(str, args)], check=True, capture_output=True,
                          input="".join(json.dumps(row) + "\n" for row in rows).encode())
    out = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(out) == len(rows)
    return out


def answers():
    """Rows of a results file, with the library's metrics."""
    rows = []
    for name in ("greedy", "sample"):
        for row in reference.read([FIXTURES / f"{name}.jsonl"]):
            rows.append({**row, "id": f"{name}/1/{row['id']}", "run": name,
                         "prompt_id": row["id"]})
    for row, metrics in zip(rows, dump(rows)):
        row["metrics"] = metrics
    return rows


class TextTest(unittest.TestCase):
    def test_real_answers(self):
        rows = answers()
        self.assertEqual(len(rows), 120)
        self.assertEqual(reference.compare(rows), [])
        # Answers that repeat themselves and answers too short to do so are among them.
        diversity = [row["metrics"]["diversity"] for row in rows]
        self.assertIn(None, diversity)
        self.assertLess(min(x for x in diversity if x is not None), 0.2)
        self.assertEqual(max(x for x in diversity if x is not None), 1)

    def test_odd_texts(self):
        for text, metrics in zip(ODD_TEXTS, dump([{"response": text} for text in ODD_TEXTS])):
            right = reference.text_metrics(text)
            self.assertEqual(metrics.keys(), right.keys())
            for name in right:
                self.assertTrue(reference.same(metrics[name], right[name]), (text, name))

    def test_a_wrong_figure_is_found(self):
        rows = answers()[:4]
        for name in reference.TEXT_METRICS:
            wrong = copy.deepcopy(rows)
            wrong[2]["metrics"][name] += 2e-6
            self.assertEqual(len(reference.compare(wrong)), 1)
            self.assertIn(f"{rows[2]['id']}: {name}", reference.compare(wrong)[0])
            wrong[2]["metrics"][name] = None
            self.assertEqual(len(reference.compare(wrong)), 1)
        verdicts = [{"id": "judge/a/1/1", "first": "win", "second": "lose", "verdict": "win"}]
        self.assertEqual(len(reference.compare(verdicts)), 1)
        verdicts[0]["verdict"] = "tie"
        self.assertEqual(reference.compare(verdicts), [])


class CoherenceTest(unittest.TestCase):
    def test_is_the_cosine_of_the_embeddings(self):
        with tempfile.TemporaryDirectory() as folder:
            encoder = Path(folder) / "encoder.gguf"
            subprocess.run([MAKE_TINY, "encoder", encoder], check=True)
            rows = answers()[:20] + [{"prompt": "a", "response": " "}]
            *said, blank = dump(rows, encoder)
        self.assertIsNone(blank["coherence"])
        for metrics in said:
            right = reference.cosine(*metrics["embeddings"])
            self.assertAlmostEqual(metrics["coherence"], right, delta=1e-6)


class StatisticsTest(unittest.TestCase):
    def check(self, values, seed):
        out = dump([{"values": values, "seed": seed}])[0]
        self.assertEqual(out["n"], len(values))
        self.assertAlmostEqual(out["mean"], reference.mean(values), delta=1e-9)
        # The error of a quantile of 10000 resamples is 0.027 standard errors of the mean, of the
        # difference of two 0.038; below, four of those.
        spread = math.sqrt(reference.mean([(x - out["mean"]) ** 2 for x in values]))
        error = spread / math.sqrt(len(values))
        low, high = reference.bootstrap_interval(values, seed)
        self.assertAlmostEqual(out["low"], low, delta=0.16 * error + 1e-12)
        self.assertAlmostEqual(out["high"], high, delta=0.16 * error + 1e-12)
        p = reference.permutation_p(values, seed)
        exact = sum(x != 0 for x in values) <= 14
        delta = 1e-12 if exact else 4 * math.sqrt(2 * p * (1 - p) / 20000) + 1e-4
        self.assertAlmostEqual(out["p"], p, delta=delta)

    def test_real_differences(self):
        rows = answers()
        for name in ("words", "diversity", "rep_2"):
            runs = reference.by_prompt(rows, lambda row, name=name: row["metrics"][name])
            shared = sorted(runs["greedy"].keys() & runs["sample"].keys())
            values = [runs["sample"][x] - runs["greedy"][x] for x in shared]
            self.check(values, 1)
            self.check(values[:12], 2)

    def test_made_up_values(self):
        draw = random.Random(4)
        for n in (1, 2, 3, 9, 14, 30):
            self.check([draw.gauss(0.3, 1) for _ in range(n)], n)
        self.check([1.0] * 8, 1)
        self.check([0, 0, 1, -1, 2, 3, 0, 1], 1)

    def test_holm(self):
        draw = random.Random(5)
        sets = [[draw.random() ** 4 for _ in range(n)] for n in range(1, 9)]
        sets += [[0.01, 0.01, 0.5], [0, 1], [0.03, 0.02, 0.02, 0.9]]
        for p, out in zip(sets, dump([{"p": p} for p in sets])):
            for mine, theirs in zip(reference.holm(p), out["holm"]):
                self.assertAlmostEqual(mine, theirs, delta=1e-12)

    def test_normalised(self):
        for means in ({"a": 1.5, "b": 3.25, "c": -2}, {"a": 3, "b": 1}, {"a": 2}):
            best = max(means.values())
            asked = [{"mean": m, "plain": means["a"], "best": best} for m in means.values()]
            right = reference.normalised(means, "a").values()
            for out, one in zip(dump(asked), right):
                self.assertTrue(reference.same(out["normalised"], one))


class ScriptTest(unittest.TestCase):
    def run_script(self, rows):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            return subprocess.run([sys.executable, "-B", reference.__file__, path], text=True,
                                  capture_output=True, check=False)

    def rows(self):
        judge = {"settings": "f", "run": "sample", "seed": 1, "against": "greedy", "judge": "j"}
        said = [("win", "win", "win"), ("win", "lose", "tie"), ("lose", "lose", "lose"),
                ("win", "none", "none"), ("win", "win", "win")]
        judged = [{"id": f"judge/sample/1/{i}", **judge, "prompt_id": str(i), "first": a,
                   "second": b, "verdict": v} for i, (a, b, v) in enumerate(said)]
        rows = answers()
        for row in rows:
            row["reward"] = -len(row["response"]) / 100
            row["metrics"]["rewards"] = {"other": 1.0}
        failure = {"id": "sample/2/1", "run": "sample", "prompt_id": "1", "seed": 2, "error": "x"}
        return [{"id": "#setup", "against": "greedy"}, *rows, failure, *judged]

    def test_prints_each_run(self):
        rows = self.rows()
        done = self.run_script(rows)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("125 rows compared, 0 differences", done.stderr)
        runs = {row["run"]: row for row in map(json.loads, done.stdout.splitlines())}
        self.assertEqual(runs.keys(), {"greedy", "sample"})
        sample = runs["sample"]
        self.assertEqual(sample["judge"], {"win": 2, "tie": 1, "lose": 1, "none": 1,
                                           "win_rate": 0.5, "tie_rate": 0.25, "lose_rate": 0.25})
        self.assertEqual((sample["responses"], sample["failures"]), (60, 1))
        self.assertEqual(sample["rewards/other"], {"mean": 1, "low": 1, "high": 1, "n": 60})
        self.assertEqual(runs["greedy"]["normalised_reward"], 0)
        self.assertEqual(sample["normalised_reward"], 1)
        self.assertLessEqual(sample["p_reward"], 1)
        self.assertEqual(sample["p_reward"], sample["p_reward_holm"])

    def test_fails_on_a_difference_and_on_nothing(self):
        rows = self.rows()
        rows[5]["metrics"]["rep_2"] += 1
        done = self.run_script(rows)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{rows[5]['id']}: rep_2 is", done.stderr)
        self.assertEqual(self.run_script(rows[:1]).returncode, 1)


if __name__ == "__main__":
    unittest.main()
