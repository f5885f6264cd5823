"""`tq lab`: exact answers to 1e-9 on the oracle worlds, sweeps, pages, samples, and mistakes."""

import csv
import io
import json
import re
import shlex
import unittest
from pathlib import Path

from tq_command import CommandTest

WORLDS = sorted((Path(__file__).resolve().parents[1] / "fixtures/tabular").glob("*.json"))


def differences(got, expected, at=""):
    """Where two JSON values differ: by more than 1e-9, or in shape."""
    if isinstance(expected, dict):
        if not isinstance(got, dict) or got.keys() != expected.keys():
            return [f"{at}: other keys"]
        return [d for key in expected for d in differences(got[key], expected[key], f"{at}/{key}")]
    if isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            return [f"{at}: another length"]
        return [d for i, x in enumerate(expected) for d in differences(got[i], x, f"{at}/{i}")]
    return [] if abs(got - expected) <= 1e-9 else [f"{at}: {got} for {expected}"]


class SolveTest(CommandTest):
    def test_every_number_of_every_world(self):
        self.assertEqual(len(WORLDS), 8)
        for path in WORLDS:
            with self.subTest(world=path.name):
                expected = json.loads(path.read_text())["cases"]
                done = self.assert_ok(self.tq("lab", "solve", path, "--json"))
                self.assertEqual(done.err, "")
                self.assertEqual(differences(json.loads(done.out), expected), [])

    def test_a_file_without_cases_is_enough(self):
        world = json.loads(WORLDS[0].read_text())
        expected = world.pop("cases")
        for key in ("seed", "max_reward"):
            world.pop(key)
        path = self.write("w.json", json.dumps(world))
        got = json.loads(self.assert_ok(self.tq("lab", "solve", path, "--json")).out)
        self.assertEqual(differences(got, expected), [])
        del world["prefix_reward"]
        path = self.write("w.json", json.dumps(world))
        done = self.assert_ok(self.tq("lab", "solve", path, "--json"))
        self.assertIn("no prefix_reward", done.err)
        del expected["args"]
        self.assertEqual(differences(json.loads(done.out), expected), [])

    def test_table(self):
        text = self.assert_ok(self.tq("lab", "solve", WORLDS[0])).out
        for words in ("15 of them", "best response 0.1.2, reward 0.9201", "tq_soft",
                      "gap 0.1055 <= 1.9516", "KL 0.7462 <= 13.3413"):
            self.assertIn(words, text)
        terms = [float(x) for x in re.findall(r"^  -beta.*?(-?\d+\.\d+)$|^  -alpha.*?(-?\d+\.\d+)$",
                                              text, re.M) for x in x if x]
        self.assertEqual(len(terms), 3)
        self.assertAlmostEqual(sum(terms), 1.9516, delta=2e-4)

    def test_terms(self):
        got = json.loads(self.assert_ok(
            self.tq("lab", "solve", WORLDS[0], "--json", "--terms")).out)["tq_direct"]
        self.assertAlmostEqual(sum(got["suboptimality_bound_terms"].values()),
                               got["suboptimality_bound"], delta=1e-12)
        self.assertAlmostEqual(sum(got["kl_bound_terms"].values()), got["kl_bound"], delta=1e-12)

    def test_seeds(self):
        one = ("lab", "solve", "--seed", 7, "--vocabulary", 4, "--length", 4, "--json")
        first = self.assert_ok(self.tq(*one)).out
        self.assertEqual(self.assert_ok(self.tq(*one)).out, first)
        self.assertNotEqual(self.assert_ok(self.tq(*one, "--quality", -0.5)).out, first)
        world = self.assert_ok(self.tq("lab", "world", *one[2:-1])).out
        path = self.write("w.json", world)
        again = json.loads(self.assert_ok(self.tq("lab", "solve", path, "--json")).out)
        self.assertEqual(differences(again, json.loads(first)), [])
        self.assertEqual(json.loads(world)["eos"], 3)
        for flag, end in (("none", None), ("0", 0)):
            text = self.assert_ok(self.tq("lab", "world", "--seed", 1, "--eos", flag)).out
            self.assertEqual(json.loads(text)["eos"], end)

    def test_flags_over_the_file(self):
        def direct(*flags):
            return json.loads(self.assert_ok(
                self.tq("lab", "solve", WORLDS[0], "--json", *flags)).out)["tq_direct"]

        plain = json.loads(WORLDS[0].read_text())["cases"]["aligned_to_target"]
        self.assertAlmostEqual(direct("--alpha", "inf")["expected_reward"],
                               plain["expected_reward"], delta=1e-9)
        self.assertGreater(direct("--alpha", 0.01)["expected_reward"],
                           direct()["expected_reward"])
        got = json.loads(self.assert_ok(self.tq("lab", "solve", WORLDS[0], "--json", "--top-k", 1,
                                                "--samples", "1,3")).out)
        self.assertIn("tq_direct_top1", got)
        self.assertNotIn("best_of_2", got)
        self.assertAlmostEqual(got["best_of_1"]["expected_reward"],
                               got["sft"]["expected_reward"], delta=1e-12)


class SweepTest(CommandTest):
    def test_rows_and_page(self):
        rows, page = self.folder / "lab.csv", self.folder / "lab.html"
        flags = ("lab", "sweep", "--seed", 1, "--worlds", 3, "--vocabulary", 3, "--length", 3,
                 "--repeats", 5)
        done = self.assert_ok(self.tq(*flags, "--out", rows, "--html", page))
        self.assertEqual((done.out, done.err), ("", ""))
        table = list(csv.DictReader(io.StringIO(rows.read_text())))
        self.assertEqual({row["sweep"] for row in table},
                         {"alpha", "beta", "quality", "map", "rollouts", "horizon", "samples",
                          "frontier"})
        self.assertEqual({row["world"] for row in table}, {"seed 1", "seed 2", "seed 3"})
        for row in table:
            for value, bound in (("suboptimality", "suboptimality_bound"),
                                 ("kl_to_sft", "kl_bound")):
                if row[bound]:
                    self.assertLessEqual(float(row[value]), float(row[bound]))
        html = page.read_text(encoding="utf-8")
        self.assertIn("tq lab sweep --seed 1 --worlds 3 --vocabulary 3 --length 3", html)
        self.assertNotRegex(html, r'(src|href)="(?!#)|https?:|<script')
        self.assertEqual(self.assert_ok(self.tq(*flags)).out, rows.read_text())
        as_json = self.folder / "lab.json"
        self.assert_ok(self.tq(*flags, "--out", as_json))
        self.assertEqual(len(json.loads(as_json.read_text())), len(table))
        self.assertEqual(self.assert_ok(self.tq(*flags, "--json")).out, as_json.read_text())

    def test_one_sweep_of_a_file(self):
        done = self.assert_ok(self.tq("lab", "sweep", WORLDS[0], WORLDS[1], "--over", "alpha",
                                      "--values", "0.25,0.5"))
        table = list(csv.DictReader(io.StringIO(done.out)))
        self.assertEqual(len(table), 2 * 2 * 5)
        expected = json.loads(WORLDS[0].read_text())["cases"]["tq_direct"]["expected_reward"]
        row = next(r for r in table if r["method"] == "tq_direct" and r["value"] == "0.25"
                   and r["world"] == str(WORLDS[0]))
        self.assertAlmostEqual(float(row["expected_reward"]), expected, delta=1e-9)


class SampleTest(CommandTest):
    def test_sampled_beside_exact(self):
        done = self.assert_ok(self.tq("lab", "sample", WORLDS[0], "--runs", 200, "--rollouts", 4,
                                      "--json"))
        cases = json.loads(WORLDS[0].read_text())["cases"]
        rows = json.loads(done.out)
        for row in rows:
            key = {"reward": "expected_reward", "KL": "kl_to_sft"}.get(row["number"])
            exact = cases[row["method"]][key] if key else \
                cases[row["method"]]["q"][row["number"][2:-1]]
            self.assertAlmostEqual(row["exact"], exact, delta=1e-9)
            self.assertLess(row["deviation"], 4.5, row)
        self.assertGreater(len(rows), 30)
        text = self.assert_ok(self.tq("lab", "sample", WORLDS[0], "--runs", 20)).out
        self.assertIn("standard errors", text)
        self.assertIn("N = 8", text)


class MistakesTest(CommandTest):
    def broken(self, **changes):
        world = json.loads(WORLDS[0].read_text())
        for key, value in changes.items():
            if value is None:
                del world[key]
            elif isinstance(value, dict):
                world[key].update(value)
                world[key] = {k: v for k, v in world[key].items() if v is not None}
            else:
                world[key] = value
        return self.tq("lab", "solve", self.write("broken.json", json.dumps(world)), "--json")

    def test_malformed_worlds(self):
        for changes, words in (
                ({"sft": {"0": [0.5, 0.25, 0]}}, ("after prefix '0'", "sums to 0.75")),
                ({"sft": {"0": None}}, ("'sft' has no row after '0'",)),
                ({"sft": {"2": [1, 0, 0]}}, ("a row after '2'", "'eos'")),
                ({"reward": {"0.0.0": None}}, ("'reward' has no value for '0.0.0'",)),
                ({"reward": {"0": 1}}, ("'0'", "no finished response")),
                ({"reward": {"0.0.0": "x"}}, ("'0.0.0' is not a number",)),
                ({"prefix_reward": {"1": None}}, ("'prefix_reward' has no value for '1'",)),
                ({"vocab": None}, ("'vocab' is missing",)),
                ({"vocabulary": 3}, ("unknown key 'vocabulary'",)),
                ({"alpha": -1}, ("'alpha' must be above 0",)),
                ({"max_reward": 3}, ("'max_reward' is 3",)),
                ({"max_tokens": 40}, ("prefixes to solve",))):
            with self.subTest(changes=changes):
                done = self.broken(**changes)
                self.assert_fails(done, done.code, *words)
                self.assertIn(done.code, (1, 2))
        self.assert_fails(self.tq("lab", "solve", "absent.json"), 1, "absent.json")
        self.assert_fails(self.tq("lab", "solve", self.write("x.json", "{")), 1, "not JSON")

    def test_flags(self):
        world = WORLDS[0]
        for args, words in (
                (("solve",), ("--seed N", "lab --help")),
                (("solve", world, "--seed", 1), ("leave them out, or the file",)),
                (("solve", world, "--terms"), ("--json",)),
                (("solve", world, "--alpha", 0), ("--alpha 0", "above 0")),
                (("solve", world, "--beta", "inf"), ("--beta", "above 0")),
                (("solve", world, "--top-k", 0), ("--top-k 0",)),
                (("solve", world, "--samples", "2,0"), ("--samples 0",)),
                (("solve", world, "--samples", "-1"), ("--samples",)),
                (("solve", world, "--alpha", "nan"), ("--alpha", "above 0")),
                (("solve", "--seed", 1, "--alpha", "nan"), ("alpha", "above 0")),
                (("solve", "--seed", 1, "--quality", "nan"), ("from -1 to 1",)),
                (("solve", world, world), ("At Most 1",)),
                (("sweep", world, "--repeats", "-1"), ("--repeats",)),
                (("sample", world, "--runs", "-1"), ("--runs",)),
                (("solve", world, "--beta", 1e-310), ("too small",)),
                (("solve", "--seed", 1, "--eos", 4), ("end token 4",)),
                (("solve", "--seed", 1, "--eos", "x"), ("--eos x",)),
                (("solve", "--seed", 1, "--quality", 2), ("from -1 to 1",)),
                (("solve", "--seed", 1, "--vocabulary", 0), ("at least one token",)),
                (("solve", "--seed", 1, "--vocabulary", 20, "--length", 20), ("fewer tokens",)),
                (("solve", "--seed", "x"), ("--seed", "lab solve --help")),
                (("solve", "--seeed", 1), ("did you mean '--seed'", "tq lab solve --help")),
                (("sweep", world, "--over", "alfa"), ("did you mean 'alpha'", "horizon")),
                (("sweep", world, "--values", "1,2"), ("--over",)),
                (("sweep", world, "--over", "alpha", "--values", "0"), ("alpha 0", "above 0")),
                (("sweep", world, "--out", "x.txt"), (".csv",)),
                (("sweep", world, "--repeats", 0), ("--repeats 0",)),
                (("sweep", "--seed", 1, "--worlds", 0), ("--worlds 0",)),
                (("sample", world, "--runs", 1), ("--runs 2",)),
                (("sample", world, "--rollouts", 0), ("--rollouts 0",)),
                (("slove",), ("did you mean 'solve'",)),
                ((), ("lab --help",))):
            with self.subTest(args=args):
                self.assert_fails(self.tq("lab", *args), 2, *words)

    def test_a_world_is_not_overwritten(self):
        path = self.write("w.json", WORLDS[0].read_bytes())
        for flag in ("--out", "--html"):
            self.assert_fails(self.tq("lab", "sweep", path, flag, path), 2, "overwritten")
        self.assertEqual(path.read_bytes(), WORLDS[0].read_bytes())

    def test_places_that_cannot_be_written(self):
        small = ("lab", "sweep", "--seed", 1, "--vocabulary", 2, "--length", 2, "--repeats", 1)
        self.assert_fails(self.tq(*small, "--out", "absent/x.csv"), 1, "absent/x.csv")
        self.assert_fails(self.tq(*small, "--html", "absent/x.html"), 1, "absent/x.html")


class HelpTest(CommandTest):
    def test_every_example_runs(self):
        self.write("world.json", WORLDS[0].read_bytes())
        for command in ((), ("solve",), ("sweep",), ("sample",), ("world",)):
            text = self.assert_ok(self.tq("lab", *command, "--help")).out
            examples = re.findall(r"^  (tq lab .*)$", text, re.M)
            self.assertTrue(examples, text)
            for example in examples:
                words = shlex.split(example)[1:]
                if "--worlds" in words:  # the same, sooner
                    words[words.index("--worlds") + 1] = "2"
                if "--runs" in words:
                    words[words.index("--runs") + 1] = "20"
                with self.subTest(example=example):
                    self.assert_ok(self.tq(*words))


if __name__ == "__main__":
    unittest.main()
