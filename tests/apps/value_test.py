"""tq fit --value and what decodes by it: from logged roll-outs to --value and --screen."""

import json
import unittest

from tq_command import TinyTest, read_rows

DECODE = ("--decoder", "tq", "--top-k", 6, "--alpha", 0.3, "--max-tokens", 8)
ROLL = ("--horizon", 3, "--rollout-choose", "greedy")


class ValueTest(TinyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls("setUp")
        test.setUp()
        texts = test.write("texts.txt", "".join(
            f"{i % 2} {('bad is', 'you are good')[i % 2]} {i}\n" for i in range(60)))
        cls.head = cls.shared / "head.gguf"
        test.assert_ok(test.tq("fit", "--data", texts, "--prompt", "Say", "--model", cls.model,
                               "--pooling", "last", "--out", cls.head))
        cls.reward = f"head={cls.head}"
        cls.logged = cls.shared / "logged.jsonl"
        cls.prompts = test.write_prompts(16).rename(cls.shared / "prompts.jsonl")
        test.assert_ok(test.generate("--prompts", cls.prompts, "--reward", cls.reward, *DECODE,
                                     *ROLL, "--explain", "--out", cls.logged))
        cls.value = cls.shared / "value.gguf"
        cls.report = json.loads(test.assert_ok(test.fit("--out", cls.value, "--levels", 4,
                                                        "--force", "--json")).out)

    def fit(self, *args, logged=None):
        return self.tq("fit", "--value", logged or self.logged, "--model", self.model, "--reward",
                       self.reward, "--threads", 1, *args)

    def learned(self, *args, value=None):
        return ("Say a good thing", "--reward", self.reward, *DECODE, "--value",
                f"head={value or self.value}", *args)

    def test_report(self):
        report = self.report
        self.assertEqual(report["runs"], 16)
        steps = sum(len(row["steps"]) for row in read_rows(self.logged))
        self.assertEqual(report["fitted"] + report["held_out"], steps)
        self.assertEqual(report["held_out_prompts"], 3)
        self.assertGreaterEqual(report["gain_best"]["mean"], report["gain"]["mean"])
        self.assertGreaterEqual(report["gain_best"]["mean"], report["gain_one_step"]["mean"])
        for key in ("correlation", "correlation_one_step"):
            self.assertTrue(-1 <= report[key] <= 1)
        self.assertEqual(report["levels"], 4)
        self.assertGreater(report["level_loss"], 0)
        again = self.folder / "again.gguf"
        text = self.assert_ok(self.fit("--out", again, "--levels", 4, "--force")).out
        self.assertIn("its pick", text)
        self.assertEqual(again.read_bytes().replace(b"again", b"value"), self.value.read_bytes())

    def test_one_that_chooses_no_better_than_the_reward_is_refused(self):
        out = self.folder / "no.gguf"
        few = self.fit("--out", out)
        self.assert_fails(few, 1, "3 prompts held out are too few", "--holdout", "--force")
        # The states of random weights tell nothing of where roll-outs lead.
        self.assert_fails(self.fit("--out", out, "--holdout", 0.4), 1, "no gain", "--force")
        self.assertFalse(out.exists())

    def test_only_values_of_roll_outs_are_learned(self):
        for flags, why in ((("--value", f"head={self.value}"), "no step with values of roll-outs"),
                           (("--decoder", "args"), "args")):
            log = self.folder / f"{flags[0][2:]}.jsonl"
            common = DECODE[2:] if "args" in flags else DECODE
            self.assert_ok(self.generate("--prompts", self.prompts, "--reward", self.reward,
                                         *common, *flags, "--explain", "--out", log))
            self.assert_fails(self.fit("--out", self.folder / "x.gguf", logged=log), 1, why)

    def test_nothing_is_rolled_out(self):
        row = self.row(*self.learned())
        self.assertLessEqual(row["evaluations"]["policy"], 6 * row["response_tokens"])
        self.assertNotEqual(row["settings"], self.row(*self.learned()[:-2])["settings"])

    def test_screen(self):
        row = self.row(*self.learned("--screen", 2, *ROLL, "--explain"))
        possible = [sum(c["probability"] > 0 for c in s["candidates"]) for s in row["steps"]]
        self.assertEqual(possible[0], 2)
        all_of_them = self.row(*self.learned()[:-2], *ROLL)
        self.assertLess(row["evaluations"]["policy"], all_of_them["evaluations"]["policy"])

    def test_soft_reads_the_distribution(self):
        soft = self.row(*self.learned("--transfer", "soft", "--beta", 0.5, "--explain"))
        mean = self.row(*self.learned("--explain"))
        self.assertNotEqual(soft["steps"][0]["candidates"][0]["value"],
                            mean["steps"][0]["candidates"][0]["value"])
        plain = self.folder / "plain.gguf"
        self.assert_ok(self.fit("--out", plain, "--force"))
        self.assert_fails(self.generate(*self.learned("--transfer", "soft", value=plain)), 2,
                          "--levels")

    def test_says_when_it_was_fitted_to_something_else(self):
        done = self.assert_ok(self.generate(*self.learned("--reward", "length=3")[:1], "--reward",
                                            "length=3", *self.learned()[3:]))
        self.assertIn("was fitted to the reward head", done.err)
        self.assertNotIn("was fitted on the states", done.err)
        done = self.assert_ok(self.generate(*self.learned("--format", "raw")))
        self.assertIn("was fitted on the states of a policy with another prompt format", done.err)
        self.assertNotIn("warning", self.assert_ok(self.generate(*self.learned())).err)

    def test_wrong_use(self):
        self.assert_fails(self.generate(*self.learned("--horizon", 4)), 2, "--horizon 4",
                          "--screen N")
        self.assert_fails(self.generate(*self.learned()[:-1], "nothing"), 2, "head=FILE")
        self.assert_fails(self.generate(*self.learned(value=self.head)), 1, "no learned value")
        self.assert_fails(self.generate(*self.learned()[:-2], "--reward", f"head={self.value}"), 2)
        other = self.make("model", "other.gguf", "--seed", 2)
        self.assert_fails(self.generate(*self.learned()[:1], "--reward", "length=3",
                                        *self.learned()[3:], model=other), 1, "was fitted on",
                          "force=1")
        out = self.folder / "v.gguf"
        self.assert_fails(self.tq("fit", "--value", self.logged, "--out", out), 2, "--reward")
        self.assert_fails(self.fit("--out", out, "--levels", 1), 2, "--levels 1")
        empty = self.write("empty.jsonl", "")
        self.assert_fails(self.fit("--out", out, logged=empty), 1, "no step with values")
        self.assert_fails(self.fit("--out", out, "--loss", "logistic"), 2, "--loss", "for heads")
        self.assert_fails(self.tq("fit", "--data", empty, "--force", "--out", out), 2, "--value FILE")
        profile = self.generate("Hi", "--reward", self.reward, "--profile", "balanced", "--value",
                                f"head={self.value}")
        self.assert_fails(profile, 2, "--profile balanced", "--screen N")
        self.assert_fails(self.fit("--out", out, logged=self.folder / "none.jsonl"), 1, "none.jsonl")

    def test_setup_file(self):
        path = self.write("my.toml", f'model = "{self.model}"\nvalue = "head=value.gguf"\n'
                                     f'reward = "{self.reward}"\ndecoder = "tq"\n')
        (self.folder / "value.gguf").write_bytes(self.value.read_bytes())
        row = self.row("Hi", "--setup", path, "--max-tokens", 3, cwd="/")
        self.assertLessEqual(row["evaluations"]["policy"], 10 * row["response_tokens"])


if __name__ == "__main__":
    unittest.main()
