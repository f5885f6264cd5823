"""Indirect and soft transfer from the command line, and in experiments."""

import json
import unittest

from tq_command import TinyTest, read_rows, without_seconds

TQ = ("Say a good thing", "--decoder", "tq", "--reward", "words=you good the", "--top-k", 3,
      "--horizon", 3, "--rollouts", 4, "--max-tokens", 5, "--alpha", 0.2)
KIND = ("--baseline", "system=Be good and kind to them")
WEIGHED = ("indirect", "soft")


def values(row):
    return [[c["value"] for c in step["candidates"]] for step in row["steps"]]


class TransferTest(TinyTest):
    def test_rows_say_how_many_roll_outs_count(self):
        for transfer in WEIGHED:
            with self.subTest(transfer=transfer):
                row = self.row(*TQ, *KIND, "--transfer", transfer, "--explain")
                whole = row["effective_samples"]
                steps = [s["effective_samples"] for s in row["steps"] if "effective_samples" in s]
                self.assertGreater(len(steps), 1)
                self.assertAlmostEqual(whole["mean"], sum(s["mean"] for s in steps) / len(steps))
                self.assertEqual(whole["min"], min(s["min"] for s in steps))
                for s in steps:
                    self.assertTrue(0.999 < s["min"] <= s["mean"] < 4.001, s)
        self.assertNotIn("effective_samples", self.row(*TQ, *KIND))
        text = self.assert_ok(self.generate(*TQ, *KIND, "--transfer", "soft", "--explain")).out
        self.assertRegex(text, r"[1-4]\.\d of 4 roll-outs count, at least [1-4]\.\d\n")

    def test_the_implicit_reward_is_the_default(self):
        for transfer in WEIGHED:
            rows = [self.row(*TQ, *KIND, "--transfer", transfer, "--explain", *more) for more in
                    ((), ("--baseline-reward", "implicit"),
                     ("--baseline-reward", "implicit={system=Be good and kind to them},beta=1"))]
            self.assertEqual(without_seconds(rows[0]), without_seconds(rows[1]))
            self.assertEqual(values(rows[0]), values(rows[2]))
            self.assertGreater(rows[0]["evaluations"]["reward"], 0)

    def test_without_a_baseline_its_reward_is_zero(self):
        row = self.row(*TQ, "--transfer", "soft")
        self.assertEqual(row["evaluations"]["reward"], 0)
        same = self.row(*TQ, "--transfer", "soft", "--baseline", f"{self.model}")
        self.assertEqual(same["evaluations"]["reward"], 0)
        self.assertEqual(same["response"], row["response"])

    def test_indirect_is_direct_where_the_rewards_are_one(self):
        direct = self.row(*TQ, *KIND, "--explain")
        indirect = self.row(*TQ, *KIND, "--transfer", "indirect", "--baseline-reward",
                            "words=you good the", "--explain")
        for a, b in zip(values(direct), values(indirect), strict=True):
            for x, y in zip(a, b, strict=True):
                self.assertAlmostEqual(x, y)
        self.assertEqual(direct["response"], indirect["response"])

    def test_every_flag_of_it_is_a_setting(self):
        settings = [self.row("Hi", "--max-tokens", 1, "--reward", "length=3", *flags)["settings"]
                    for flags in (
                        ("--decoder", "tq"),
                        ("--decoder", "tq", "--transfer", "indirect"),
                        ("--decoder", "tq", "--transfer", "soft"),
                        ("--decoder", "tq", "--transfer", "soft", "--beta", 2),
                        ("--decoder", "tq", "--transfer", "soft", "--weight-power", 0.5),
                        ("--decoder", "tq", "--transfer", "soft", "--weight-clip", 4),
                        ("--decoder", "tq", "--transfer", "soft", "--baseline-reward", "length=9"),
                        ("--decoder", "tq", "--transfer", "soft", "--baseline-reward", "length=8"))]
        self.assertEqual(len(set(settings)), len(settings))
        # What direct transfer does not read changes nothing.
        self.assertEqual(self.row("Hi", "--max-tokens", 1, "--reward", "length=3", "--decoder", "tq",
                                  "--beta", 2)["settings"], settings[0])

    def test_soft_takes_beta_for_alpha(self):
        rows = [self.row(*TQ[:-2], "--transfer", "soft", "--explain", "--alpha", alpha)["steps"]
                for alpha in (0.01, 100)]
        self.assertEqual(*rows)

    def test_warnings(self):
        at = TQ.index("--rollouts")
        one = self.assert_ok(self.generate(*TQ[:at], *TQ[at + 2:], *KIND, "--transfer", "indirect"))
        self.assertIn("tq: warning: with one roll-out a candidate", one.err)
        greedy = self.assert_ok(self.generate(*TQ, *KIND, "--transfer", "indirect",
                                              "--rollout-choose", "greedy"))
        self.assertIn("tq: warning: with one roll-out a candidate (--rollout-choose", greedy.err)
        far = ("--beta", 1e-6, "--transfer")
        for transfer in WEIGHED:
            collapsed = self.assert_ok(self.generate(*TQ, *KIND, *far, transfer)).err
            self.assertRegex(collapsed, r"\ntq: warning: of a candidate's 4 roll-outs, only 1\.\d count")
            self.assertEqual(collapsed.count("warning"), 1)
        calm = self.assert_ok(self.generate(*TQ, *KIND, "--beta", 1e6, "--transfer", "indirect",
                                            "--baseline-reward", "length=3"))
        self.assertNotIn("warning", calm.err)

    def test_a_file_of_prompts_is_warned_of_once(self):
        prompts, out = self.write_prompts(3), self.folder / "out.jsonl"
        result = self.assert_ok(self.generate(
            "--prompts", prompts, "--out", out, *TQ[1:], *KIND, "--beta", 1e-6, "--transfer", "soft",
            threads=2))
        self.assertEqual(result.out, "")
        self.assertEqual(result.err.count("tq: warning:"), 1, result.err)
        self.assertEqual(len(read_rows(out)), 3)

    def test_official(self):
        args = ("Hi", "--decoder", "official", "--reward", "words=you good", "--top-k", 3,
                "--max-tokens", 4, "--explain")
        two = self.row(*args, "--transfer", "indirect", "--baseline-reward", "length=3")
        self.assertEqual(two["response_tokens"], 4)
        five = self.row(*args, "--transfer", "indirect", "--baseline-reward", "length=3", "--horizon",
                        5)
        self.assertEqual(without_seconds(two), without_seconds(five))  # the authors' horizon
        same = self.row(*args, "--transfer", "indirect", "--baseline-reward", "words=you good",
                        "--horizon", 20)
        direct = self.row(*args)
        self.assertEqual(same["steps"], direct["steps"])

    def test_a_reward_that_needs_finished_responses(self):
        program = self.write("r.py", """import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"id": row["id"], "reward": len(row["response"])}), flush=True)
""")
        row = self.row(*TQ, *KIND, "--transfer", "indirect", "--baseline-reward",
                       f"program=python3 {program},partial=0")
        short = self.row(*TQ, *KIND, "--transfer", "indirect", "--baseline-reward", "length=3")
        self.assertGreaterEqual(row["evaluations"]["policy"], short["evaluations"]["policy"])


class ExperimentTest(TinyTest):
    def test_runs_have_their_own_transfer(self):
        self.write_prompts(2)
        setup = self.write("my.toml", f"""
model = "{self.model}"
baseline = {{system = "Be good and kind to them"}}
reward = "words=you good the"
max-tokens = 4
top-k = 3
horizon = 2
rollouts = 3
[data]
prompts = "prompts.jsonl"
[[decoder]]
name = "direct"
decoder = "tq"
[[decoder]]
name = "two rewards"
decoder = "tq"
transfer = "indirect"
baseline-reward = {{implicit = {{system = "Be bad"}}}}
beta = 0.000001
[[decoder]]
name = "soft"
decoder = "tq"
transfer = "soft"
weight-power = 0.5
[[decoder]]
name = "one"
decoder = "tq"
transfer = "indirect"
rollout-choose = "greedy"
""")
        result = self.assert_ok(self.tq("eval", setup, "--out", "r.jsonl", "--threads", 1))
        self.assertIn("tq: warning: run 'one': with one roll-out a candidate", result.err)
        self.assertIn("tq: warning: run 'two rewards': of a candidate's", result.err)
        header, *rows = read_rows(self.folder / "r.jsonl")
        self.assertIn("baseline's reward of two rewards", header["models"])
        self.assertEqual(len(rows), 8)
        for row in rows:
            self.assertEqual("effective_samples" in row, row["run"] in ("two rewards", "soft"),
                             json.dumps(row))
        self.assert_ok(self.tq("report", "r.jsonl", "--out", "r.html"))


if __name__ == "__main__":
    unittest.main()
