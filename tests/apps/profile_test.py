"""--profile and --budget: settings by one word or one number, which everything else wins over."""

import json
import re
import unittest

from tq_command import TinyTest, read_rows, without_seconds

COMMON = ("Say a good thing", "--reward", "words=you good the", "--max-tokens", 9, "--explain")
PROFILES = ("fast", "balanced", "thorough")


class ProfileTest(TinyTest):
    def settings(self, *flags, **changes):
        return self.row(*COMMON, *flags, **changes)["settings"]

    def refuses(self, flags, *words):
        self.assert_fails(self.generate(*COMMON, *flags), 2, *words)

    def test_a_profile_is_tq_and_fast_costs_least(self):
        cost = {}
        for profile in PROFILES:
            row = self.row(*COMMON, "--profile", profile)
            self.assertEqual(row["decoder"], "tq")
            cost[profile] = row["evaluations"]["policy"] / row["response_tokens"]
        self.assertEqual(len(set(cost.values())), 3)
        self.assertEqual(min(cost, key=cost.get), "fast")

    def test_it_is_its_flags(self):
        flags = self.documented()
        for profile in PROFILES:
            with self.subTest(profile=profile):
                by_name = self.row(*COMMON, "--profile", profile)
                by_flags = self.row(*COMMON, "--decoder", "tq", *flags[profile].split())
                self.assertEqual(without_seconds(by_name), without_seconds(by_flags))

    def documented(self):
        """What `tq generate --help` says that each profile is."""
        text = re.sub(r"\s+", " ", self.assert_ok(self.tq("generate", "--help")).out)
        found = dict(re.findall(r"(\w+) is ((?:--[a-z-]+ [\w.]+ ?){8})", text))
        self.assertEqual(set(found), set(PROFILES))
        return found

    def test_flags_and_setup_files_win(self):
        one = self.settings("--profile", "balanced", "--top-k", 3)
        self.assertNotEqual(one, self.settings("--profile", "balanced"))
        step = self.row(*COMMON, "--profile", "balanced", "--top-k", 3)["steps"][0]
        self.assertEqual(len(step["candidates"]), 3)
        setup = self.write("s.toml", 'profile = "balanced"\ntop-k = 3\n')
        self.assertEqual(self.settings("--setup", setup), one)
        self.assertEqual(self.settings("--setup", setup, "--profile", "fast"),
                         self.settings("--profile", "fast", "--top-k", 3))
        self.assertEqual(self.row(*COMMON, "--profile", "fast", "--decoder", "cd")["decoder"], "cd")
        self.assertEqual(self.settings("--setup", setup, "--budget", 7.9),
                         self.settings("--profile", "fast", "--top-k", 3))

    def test_what_is_given_changes_what_goes_with_it(self):
        same = self.settings("--profile", "balanced")
        self.assertEqual(self.settings("--profile", "balanced", "--block", 1), same)
        self.settings("--profile", "balanced", "--horizon", 0)
        drawn = self.settings("--profile", "balanced", "--rollouts", 3)
        self.assertEqual(drawn, self.settings("--profile", "balanced", "--rollouts", 3,
                                              "--rollout-choose", "sample"))

    def test_a_profile_for_all_runs_is_for_those_that_roll_out(self):
        self.write_prompts(2)
        decoders = ("greedy", "best-of", "tq", "cd")
        setup = self.write("e.toml", f"""
name = "Profiles"
model = "{self.model}"
reward = "words=you good the"
max-tokens = 12
samples = 2
profile = "balanced"
[data]
prompts = "prompts.jsonl"
""" + "".join(f'[[decoder]]\nname = "{d}"\ndecoder = "{d}"\n' for d in decoders)
                           + '[[decoder]]\nname = "own"\nbudget = 8\n')
        self.assert_ok(self.tq("eval", setup, "--out", "r.jsonl", "--threads", 1))
        cost = {}
        for row in read_rows(self.folder / "r.jsonl")[1:]:
            cost[row["id"].split("/")[0]] = row["evaluations"]["policy"] / row["response_tokens"]
        self.assertEqual(set(cost), {*decoders, "own"})
        self.assertLess(max(cost["greedy"], cost["best-of"]), 4)
        self.assertGreater(min(cost["tq"], cost["cd"]), 4)
        self.assertLess(cost["own"], cost["tq"])

    def test_halving_and_the_weight_give_way_to_what_they_do_not_go_with(self):
        for flags in (("--block", 2), ("--kl-budget", 3), ("--elsewhere", "plain"),
                      ("--choose", "gumbel"), ("--first", 0, "--last", 0)):
            self.settings("--profile", "balanced", *flags)

    def test_a_budget_takes_the_dearest_that_fits(self):
        self.refuses(("--budget", 1), "--budget 1", "about", "--decoder args")
        self.assertEqual(self.settings("--budget", 100), self.settings("--profile", "balanced"))
        self.assertEqual(self.settings("--budget", 1e6), self.settings("--profile", "thorough"))
        least = float(re.search(r"about ([0-9.]+) token",
                                self.generate(*COMMON, "--budget", 1).err).group(1))
        self.assertEqual(self.settings("--budget", least), self.settings("--profile", "fast"))
        self.assertNotEqual(self.settings("--budget", 25), self.settings("--budget", least))

    def test_a_budget_in_milliseconds_is_measured(self):
        for budget, profile in (("1e9ms", "thorough"), ("0.000001ms", None)):
            ran = self.generate(*COMMON, "--budget", budget, "--json")
            if profile is None:
                self.assert_fails(ran, 2, "--budget 0.000001ms", "ms a token", "--decoder args")
                continue
            self.assert_ok(ran)
            self.assertRegex(ran.err, r"--horizon 16 .*about [0-9.]+ ms a token on this machine")
            self.assertEqual(json.loads(ran.out)["settings"], self.settings("--profile", profile))
        self.assert_fails(self.generate(*COMMON, "--budget", "1e9ms", "--out", "r.jsonl"), 2,
                          "1e9ms", "machine", "--out")
        self.write_prompts(1)
        setup = self.write("ms.toml", f"""
name = "ms"
model = "{self.model}"
reward = "words=you"
[data]
prompts = "prompts.jsonl"
[[decoder]]
name = "own"
budget = "200ms"
""")
        self.assert_fails(self.tq("eval", setup, "--out", "r.jsonl"), 2, "200ms", "machine")

    def test_mistakes(self):
        self.refuses(("--profile", "balancd"), "balancd", "balanced")
        self.refuses(("--profile", "fast", "--budget", 9), "--profile", "--budget", "not both")
        self.refuses(("--profile", "fast", "--decoder", "best-of"), "--profile fast", "best-of")
        self.refuses(("--budget", 9, "--decoder", "official"), "--budget 9", "official")
        for value in ("0", "-1", "nan", "x", "5s", "ms", "0ms", "5 ms"):
            self.refuses(("--budget", value), "--budget")
        without = self.generate("Hi", "--profile", "fast")
        self.assert_fails(without, 2, "--reward")


if __name__ == "__main__":
    unittest.main()
