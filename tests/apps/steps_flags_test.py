"""Flags of steps reach the decoder, by the command line and setup file: --commit, --block, --min-p and their like."""

import json
import unittest

from tq_command import TinyTest

COMMON = ("Say a good thing", "--decoder", "tq", "--reward", "words=you good the", "--top-k", 4,
          "--horizon", 5, "--max-tokens", 9, "--explain")


class StepsFlagsTest(TinyTest):
    def steps(self, *flags):
        row = self.row(*COMMON, *flags)
        self.assertEqual(len(row["steps"]), row["response_tokens"])
        return row, row["steps"]

    def test_commit(self):
        row, steps = self.steps("--commit", 4)
        weighed = [bool(step["candidates"]) for step in steps]
        self.assertEqual(weighed, [i % 4 == 0 for i in range(len(steps))])
        self.assertEqual(row["kl_kind"], "bound")
        _, steps = self.steps()
        self.assertTrue(all(step["candidates"] for step in steps))

    def test_commit_confidence(self):
        _, steps = self.steps("--commit", 4, "--commit-confidence", 1, "--rollout-choose", "greedy")
        self.assertTrue(all(step["candidates"] for step in steps))
        for flags, word in (((), "--commit 8"), (("--commit", 4), "--rollout-choose greedy")):
            result = self.generate(*COMMON, "--commit-confidence", 0.5, *flags)
            self.assertEqual(result.code, 2)
            self.assertIn(word, result.err)

    def test_block(self):
        row, steps = self.steps("--block", 3)
        for i, step in enumerate(steps):
            self.assertEqual(bool(step["candidates"]), i % 3 == 0)
            for candidate in step["candidates"]:
                self.assertEqual(candidate["block"][0], candidate["token"])
                self.assertLessEqual(len(candidate["block"]), 3)
        chosen = [c["block"] for c in steps[0]["candidates"] if c["token"] == steps[0]["chosen"]]
        self.assertIn([step["chosen"] for step in steps[:3]], chosen)
        self.assertEqual(row["kl_kind"], "bound")

    def test_min_p(self):
        _, steps = self.steps("--min-p", 1)
        for step in steps:
            (only,) = step["candidates"]
            self.assertIsNone(only["value"])
            self.assertEqual(only["probability"], 1)
        out = self.assert_ok(self.generate(*COMMON, "--min-p", 1)).out
        self.assertRegex(out, r"> \S+ +- ")

    def test_halve(self):
        row, steps = self.steps("--halve", 1)
        possible = [sum(c["probability"] > 0 for c in step["candidates"]) for step in steps]
        for i, count in enumerate(possible):  # behind the pause there must be room
            self.assertIn(count, (2, 3, 4) if i < 8 else (4,))
        self.assertEqual(possible[0], 2)
        self.assertLess(row["evaluations"]["policy"], self.steps()[0]["evaluations"]["policy"])

    def test_halve_errors(self):
        drawn = [*COMMON[:3], "--reward", "length=20", *COMMON[5:], "--alpha", 0.01, "--halve", 1,
                 "--rollouts", 4]
        plain, sure = self.row(*drawn), self.row(*drawn, "--halve-errors", 2)
        self.assertLess(plain["evaluations"]["policy"], sure["evaluations"]["policy"])
        self.assertNotEqual(plain["settings"], sure["settings"])
        result = self.generate(*COMMON, "--halve", 1, "--halve-errors", 2)
        self.assertEqual(result.code, 2)
        self.assertIn("--rollouts 4", result.err)

    def test_last(self):
        row, steps = self.steps("--last", 4)
        early = [step.get("rolled_out") is False for step in steps]
        self.assertEqual(early, [i < 5 for i in range(len(steps))])
        self.assertLess(row["evaluations"]["policy"], self.steps()[0]["evaluations"]["policy"])

    def test_first_and_elsewhere(self):
        _, steps = self.steps("--first", 2, "--last", 4, "--elsewhere", "plain")
        unknown = [[c["value"] is None for c in step["candidates"]] for step in steps]
        self.assertEqual(unknown, [[2 <= i < 5] * 4 for i in range(len(steps))])
        self.assertEqual([step.get("rolled_out") is False for step in steps],
                         [2 <= i < 5 for i in range(len(steps))])
        result = self.generate(*COMMON, "--elsewhere", "plain")
        self.assertEqual(result.code, 2)
        self.assertIn("--first and --last", result.err)

    def test_text_weight(self):
        def first(*flags):
            return self.steps("--last", 4, *flags)[1][0]["candidates"]
        light, heavy = first(), first("--text-weight", 3)
        self.assertEqual([c["value"] for c in heavy], [c["value"] for c in light])
        self.assertNotEqual([c["probability"] for c in heavy], [c["probability"] for c in light])
        result = self.generate(*COMMON, "--last", 4, "--text-weight", 0)
        self.assertEqual(result.code, 2)
        self.assertIn("--text-weight 0", result.err)

    def test_choose_gumbel(self):
        free, steps = self.steps("--choose", "gumbel")
        self.assertEqual(free["kl_kind"], "exact")  # the reward has no bounds
        self.assertTrue(all(len(step["candidates"]) == 4 for step in steps))
        reward = ("--reward", "clip={words=you good the},low=0,high=1", "--alpha", 0.5)
        flags = [*COMMON[:3], *reward, *COMMON[5:], "--choose"]
        bounded, drawn = self.row(*flags, "gumbel"), self.row(*flags, "sample")
        self.assertEqual(bounded["kl_kind"], "bound")
        spared = [c for step in bounded["steps"] for c in step["candidates"] if c.get("given_up")]
        self.assertTrue(spared)
        self.assertTrue(all(c["value"] is None and c["probability"] == 0 for c in spared))
        self.assertLess(bounded["evaluations"]["policy"], drawn["evaluations"]["policy"])
        result = self.generate(*COMMON, "--choose", "gumbel", "--commit", 2)
        self.assertEqual(result.code, 2)
        self.assertIn("--choose gumbel", result.err)

    def test_kl_budget(self):
        for nats in (0, 0.5, 4):
            row, steps = self.steps("--kl-budget", nats)
            self.assertLessEqual(row["kl_to_reference"], nats + 1e-9)
            self.assertEqual(row["kl_kind"], "exact")
            for step in steps:
                self.assertTrue(step["alpha"] is None or step["alpha"] > 0)
                self.assertIn(step["chosen"], [c["token"] for c in step["candidates"]])
            if nats == 0:
                self.assertTrue(all(step["alpha"] is None for step in steps))
        self.assertIn("  alpha ", self.assert_ok(self.generate(*COMMON, "--kl-budget", 4)).out)
        self.assertNotIn("alpha", self.steps()[1][0])

    def test_from_a_setup_file_and_the_command_line_wins(self):
        setup = self.folder / "s.toml"
        setup.write_text('commit = 3\nmin-p = 0.01\nkl-budget = 2.5\n', encoding="utf-8")
        by_file = self.row(*COMMON, "--setup", setup)
        by_flags = self.row(*COMMON, "--commit", 3, "--min-p", 0.01, "--kl-budget", 2.5)
        for row in (by_file, by_flags):
            del row["seconds"]
        self.assertEqual(by_file, by_flags)
        other = self.row(*COMMON, "--setup", setup, "--commit", 1)
        self.assertNotEqual(other["settings"], by_file["settings"])
        setup.write_text('alpha = 2\nkl-budget = 2.5\n', encoding="utf-8")
        self.assert_fails(self.generate(*COMMON, "--setup", setup), 2, "--alpha", "--kl-budget")

    def test_results_under_other_settings_are_refused(self):
        prompts = self.folder / "p.jsonl"
        prompts.write_text(json.dumps({"id": "a", "prompt": "Hi"}) + "\n", encoding="utf-8")
        run = ("--prompts", prompts, "--out", self.folder / "o.jsonl", *COMMON[1:])
        self.assert_ok(self.generate(*run))
        for flags in (("--commit", 2), ("--block", 2), ("--min-p", 0.1), ("--halve", 1),
                      ("--kl-budget", 1)):
            self.assert_fails(self.generate(*run, *flags), 1, "other settings")
        self.assert_ok(self.generate(*run, "--commit", 1, "--block", 1, "--min-p", 0,
                                     "--halve", 0))


if __name__ == "__main__":
    unittest.main()
