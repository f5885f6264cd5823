"""`tq score`: rows and pairs, their order, the summary, --out, and rows that can't be scored."""

import gzip
import json
import unittest

from help_test import examples
from tq_command import TinyTest, read_rows


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


class ScoreTest(TinyTest):
    def setUp(self):
        super().setUp()
        weights = {"weights": [(i % 5 - 2) / 4 for i in range(32)], "bias": 0.25}
        self.head = self.folder / "head.gguf"
        self.assert_ok(self.tq("fit", "--from-json", self.write("h.json", json.dumps(weights)),
                               "--model", self.model, "--out", self.head))

    def score(self, file, *args, reward=None, threads=1, **options):
        return self.tq("score", file, "--model", self.model, "--threads", threads, "--cache",
                       "f32", "--reward", reward or f"head={self.head}", *args, **options)

    def many(self, count=30):
        rows = [{"id": f"r{i}", "prompt": f"Topic {i // 4}", "response": f"answer {i} " * (i % 5)}
                for i in range(count)]
        return self.write("rows.jsonl", lines(rows)), rows

    def test_rows_in_order_together_as_one_by_one(self):
        file, rows = self.many()
        together = self.assert_ok(self.score(file, threads=2)).rows()
        self.assertEqual([row["id"] for row in together], [row["id"] for row in rows])
        self.assertEqual([set(row) for row in together], [{"id", "reward"}] * len(rows))
        for row, scored in list(zip(rows, together))[::7]:
            alone = self.assert_ok(self.score("-", stdin=lines([row]))).rows()[0]
            self.assertAlmostEqual(alone["reward"], scored["reward"], delta=1e-3)

    def test_what_a_prompt_shares_is_evaluated_once(self):
        rows = [{"prompt": "A prompt of some words, the same for all.", "response": f"no {i}"}
                for i in range(8)]
        def evaluations(some):
            result = self.assert_ok(self.score("-", stdin=lines(some)))
            return int(result.err.splitlines()[-1].split()[0])
        self.assertLess(evaluations(rows), 3 * evaluations(rows[:1]))

    def test_pairs_by_a_rule(self):
        pairs = [{"id": "a", "prompt": "p", "chosen": "one two three", "rejected": "one"},
                 {"prompt": "p", "chosen": "one", "rejected": "one two three"},
                 {"prompt": "p", "chosen": "same", "rejected": "same"},
                 {"prompt": "p", "chosen": "two words", "rejected": "four words are these"}]
        result = self.assert_ok(self.score(self.write("p.jsonl", lines(pairs)), reward="length=3"))
        self.assertEqual(result.rows(), [
            {"id": "a", "reward": 0.0, "reward_rejected": -2 / 3, "correct": True},
            {"id": "2", "reward": -2 / 3, "reward_rejected": 0.0, "correct": False},
            {"id": "4", "reward": -1 / 3, "reward_rejected": -1 / 3, "correct": False}])
        self.assertIn("left out: 1 pairs of one text twice, 0 with an empty", result.err)
        self.assertIn("3 pairs | accuracy 33.3% (95% interval 6.1 to 79.2) | mean margin 0.000",
                      result.err)

    def test_labels(self):
        rows = [{"response": "yes yes", "label": 1}, {"response": "yes", "label": 0},
                {"response": "no", "label": 0}, {"response": "yes yes", "label": 1},
                {"response": "yes", "label": 0.5}]
        result = self.assert_ok(self.score("-", stdin=lines(rows), reward="words=yes"))
        self.assertEqual([row["reward"] for row in result.rows()], [2, 1, 0, 2, 1])
        self.assertIn("5 responses | mean 1.200, spread 0.837", result.err)
        # sigmoid of 2, 1, 0 is 0.881, 0.731, 0.5, each in a bin of its own.
        self.assertIn("4 labels | accuracy 75.0% (95% interval 30.1 to 95.4) with 1 for a reward "
                      "above 0 | AUC 1.000 | calibration error 0.367", result.err)
        one_sided = self.assert_ok(self.score("-", stdin=lines(rows[:1]), reward="words=yes"))
        self.assertIn("AUC undefined", one_sided.err)

    def test_compressed_files(self):
        file, rows = self.many(3)
        packed = self.write("rows.jsonl.gz", gzip.compress(file.read_bytes()))
        self.assertEqual(self.assert_ok(self.score(packed)).out, self.score(file).out)

    def test_out_goes_on_where_it_stopped(self):
        file, rows = self.many(10)
        all_rows = self.assert_ok(self.score(file)).rows()
        out = self.folder / "out.jsonl"
        part = self.write("part.jsonl", lines(rows[:4]))
        self.assertEqual(self.assert_ok(self.score(part, "--out", out)).out, "")
        first = out.read_bytes()
        # A crash in the next row, which begins like the first one but for its id.
        out.write_bytes(first + first.splitlines()[0].replace(b'"r0"', b'"r4"')[:40])
        result = self.assert_ok(self.score(file, "--out", out))
        self.assertTrue(out.read_bytes().startswith(first))
        got = {row["id"]: row["reward"] for row in read_rows(out)}
        self.assertEqual(len(got), 10)
        for row in all_rows:
            self.assertAlmostEqual(got[row["id"]], row["reward"], delta=1e-3)
        self.assertIn("10 responses", result.err)
        again = self.assert_ok(self.score(file, "--out", out))
        self.assertIn("\n0 token evaluations", again.err)
        self.assertEqual(again.err.splitlines()[0], result.err.splitlines()[0])
        before = out.read_bytes()
        self.assert_fails(self.score(file, "--out", out, reward="length=3"), 1, "other settings")
        self.assert_fails(self.score(file, "--out", out, "--format", "raw"), 1, "other settings")
        other = self.write("other.jsonl", lines([dict(rows[0], response="something else")]))
        self.assert_fails(self.score(other, "--out", out), 1, "'r0'", "another")
        self.assertEqual(out.read_bytes(), before)

    def test_out_needs_ids_of_their_own(self):
        file = self.write("rows.jsonl", lines([{"id": "x", "prompt": "p", "response": "a"},
                                               {"id": "x", "prompt": "p", "response": "b"}]))
        self.assertEqual(len(self.assert_ok(self.score(file)).rows()), 2)
        self.assert_fails(self.score(file, "--out", "o.jsonl"), 1, "line 2", "'x'", "twice")

    def test_a_row_that_fails_is_named_and_the_others_are_kept(self):
        rows = [{"id": "good", "prompt": "p", "response": "a"},
                {"id": "long", "prompt": "word " * 400, "response": "b"}]
        file = self.write("rows.jsonl", lines(rows))
        result = self.score(file)
        self.assert_message(result, 1, "row 'long' (line 2)", "context")
        self.assertEqual([row["id"] for row in result.rows()], ["good"])
        out = self.folder / "out.jsonl"
        self.assert_fails(self.score(file, "--out", out), 1, "row 'long' (line 2)")
        self.assertEqual([row["id"] for row in read_rows(out)], ["good"])

    def test_bad_input(self):
        self.assert_fails(self.score("none.jsonl"), 1, "none.jsonl")
        self.assert_fails(self.score("-", stdin=""), 1, "standard input")
        self.assert_fails(self.score("-", stdin='{"id":1,"prompt":"p"}\n'), 1,
                          "standard input line 1", "response")
        self.assert_fails(self.score("-", stdin='{"prompt":"p","response":"r"}\n{oops\n'), 1,
                          "line 2", "JSON")
        self.assert_fails(self.tq("score", "x.jsonl", "--model", self.model), 2, "--reward")
        self.assert_fails(self.tq("score"), 2, "file")
        self.assert_fails(self.tq("score", "-", "--reward", "length=3", "--cache", "f8"), 2,
                          "--cache", "'f8'", "f16, f32")
        self.assert_fails(self.score("-", stdin='{"response":"r"}', reward="lenght=3"), 2,
                          "did you mean 'length'")

    def test_a_setup_file(self):
        setup = self.write("s.toml", f'model = "{self.model}"\nreward = "length=2"\n')
        result = self.assert_ok(self.tq("score", "-", "--setup", setup,
                                        stdin='{"prompt":"p","response":"a b c d"}'))
        self.assertEqual(result.rows(), [{"id": "1", "reward": -1.0}])

    def test_examples_of_the_help(self):
        self.write("answers.jsonl", lines([{"id": "a", "prompt": "p", "response": "r"}]))
        self.write("pairs.jsonl", lines([{"prompt": "p", "chosen": "r", "rejected": "s"}]))
        self.write("sentiment", self.head.read_bytes())
        found = examples(self.tq("score", "--help").out)
        self.assertEqual(len(found), 2)
        for example in found:
            with self.subTest(example=example):
                self.assert_ok(self.tq(*example, "--model", self.model))
        self.assertEqual(len(read_rows(self.folder / "scores.jsonl")), 1)


if __name__ == "__main__":
    unittest.main()
