"""tq fit on data: what it learns, that it can be repeated, and what it says of bad data."""

import gzip
import json
import random
import unittest

from tq_command import TinyTest

KIND = ("you are good", "the good and the good", "good good", "and you is good")
RUDE = ("bad", "is bad bad", "the bad on bad", "bad is bad!!")


def texts(count, seed=1):
    """Labelled texts whose words give them away."""
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        label = i % 2
        rows.append((label, f"{draw.choice(KIND if label else RUDE)} {i}"))
    return rows


class FitTest(TinyTest):
    def env(self, **changes):
        return super().env(**{"XDG_CACHE_HOME": self.folder / "cache", **changes})

    def labelled(self, count=120, name="texts.txt"):
        return self.write(name, "".join(f"{label} {text}\n" for label, text in texts(count)))

    def pairs(self, count=60, name="pairs.jsonl"):
        draw = random.Random(2)
        rows = [{"id": f"p{i}", "prompt": f"Say {i}", "chosen": f"{draw.choice(KIND)} {i}",
                 "rejected": f"{draw.choice(RUDE)} {i}"} for i in range(count)]
        return self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def fit(self, data, *args, out="head.gguf", threads=1, **options):
        return self.tq("fit", "--data", data, "--model", self.model, "--out", self.folder / out,
                       "--threads", threads, *args, **options)

    def report(self, *args, **options):
        return json.loads(self.assert_ok(self.fit(*args, "--json", **options)).out)


class LearningTest(FitTest):
    def check(self, report, pairs):
        self.assertGreater(report["accuracy"], 0.9)
        low, high = report["accuracy_interval"]
        self.assertTrue(0.5 < low < report["accuracy"] <= high <= 1)
        self.assertEqual(report["examples"], "pairs" if pairs else "responses")
        self.assertEqual(report["loss"], "pairwise" if pairs else "logistic")
        self.assertEqual(report["fitted"], 4 * report["held_out"])
        self.assertEqual(report["learning_curve"][-1]["accuracy"], report["accuracy"])
        self.assertEqual(len(report["cross_validation"]), 44)  # 4 poolings
        calibration = report["calibration"]
        self.assertTrue(calibration["low"] < calibration["mean"] < calibration["high"])
        self.assertGreater(calibration["spread"], 0)
        self.assertRegex(report["data"], r"\A[0-9a-f]{64}\Z")

    def test_labelled_texts(self):
        report = self.report(self.labelled())
        self.check(report, pairs=False)
        self.assertEqual(report["text"], "response")

    def test_pairs(self):
        report = self.report(self.pairs())
        self.check(report, pairs=True)
        self.assertEqual(report["text"], "conversation")

    def test_dialogues_compressed(self):
        rows = [{key: f"\n\nHuman: Say {i}\n\nAssistant: {words[i % 4]} {i}"
                 for key, words in (("chosen", KIND), ("rejected", RUDE))} for i in range(60)]
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        report = self.report(self.write("hh.jsonl.gz", gzip.compress(data)))
        self.check(report, pairs=True)
        self.assertEqual(report["text"], "conversation")

    def test_the_head_works_as_a_reward(self):
        for data, pooling in ((self.pairs(), "mean"), (self.labelled(), "last"),
                              (self.pairs(), "last,mean,max,min")):
            with self.subTest(data=data.name):
                self.report(data, "--pooling", pooling)
                for decoder in ("tq", "best-of"):
                    row = self.row("Hi", "--decoder", decoder, "--reward",
                                   f"head={self.folder}/head.gguf", "--max-tokens", 4, "--top-k", 3,
                                   "--horizon", 2, "--samples", 3)
                    self.assertIsInstance(row["reward"], float)

    def test_a_pooling_that_is_none(self):
        for pooling in ("last,", "mean,last", "median", "end"):
            self.assert_fails(self.fit(self.pairs(), "--pooling", pooling), 2, "--pooling", pooling,
                              "last,mean,max,min")

    def test_a_test_of_its_own(self):
        data = self.labelled()
        test = self.labelled(40, "test.txt")  # the first 40 are among the data
        report = self.report(data, "--test", test)
        self.assertEqual(report["held_out"], 40)
        self.assertEqual(report["fitted"] + report["left_out"]["prompt_in_test"], 120)
        self.assertGreaterEqual(report["left_out"]["prompt_in_test"], 1)

    def test_several_files_and_a_limit(self):
        both = f"{self.labelled()},{self.labelled(30, 'more.txt')}"
        report = self.report(both, "--limit", 50)
        self.assertEqual(report["fitted"] + report["held_out"], 50)

    def test_text_for_a_person(self):
        out = self.assert_ok(self.fit(self.labelled())).out
        for words in ("wrote ", "accuracy", "95% interval", "learning", "fitted on", "reward",
                      "evaluations", "<- chosen"):
            self.assertIn(words, out)


class RepeatTest(FitTest):
    def test_the_same_seed_gives_the_same_bytes(self):
        data = self.pairs()
        heads = []
        for folder, seed, threads in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1)):
            (self.folder / folder).mkdir()
            self.report(data, "--seed", seed, out=f"{folder}/head.gguf", threads=threads,
                        env=self.env(XDG_CACHE_HOME=self.folder / folder / "cache"))
            heads.append((self.folder / folder / "head.gguf").read_bytes())
        self.assertEqual(heads[0], heads[1])
        self.assertNotEqual(heads[0], heads[2])

    def test_a_second_fit_evaluates_nothing(self):
        data = self.labelled()
        first = self.report(data)
        head = (self.folder / "head.gguf").read_bytes()
        self.assertGreater(first["evaluations"], 0)
        self.assertEqual(first["cached"], 0)
        second = self.report(data)
        self.assertEqual(second["evaluations"], 0)
        self.assertEqual(second["cached"], second["texts"])
        self.assertEqual((self.folder / "head.gguf").read_bytes(), head)
        self.assertEqual(self.report(data, "--seed", 5, "--l2", "0.01")["evaluations"], 0)

    def test_a_damaged_cache_is_read_anew(self):
        data = self.labelled()
        self.report(data)
        head = (self.folder / "head.gguf").read_bytes()
        for file in (self.folder / "cache").rglob("*.features"):
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content[:-3])
        report = self.report(data)
        self.assertGreater(report["evaluations"], 0)
        self.assertGreater(report["cache_damaged"], 0)
        self.assertGreater(report["cached"], report["texts"] // 2)
        self.assertEqual((self.folder / "head.gguf").read_bytes(), head)

    def test_without_a_cache_folder_it_works_and_says_so(self):
        (self.folder / "cache").write_text("no folder")
        self.assertIn(".features", self.report(self.labelled())["cache_trouble"])


class BadDataTest(FitTest):
    def refuses(self, content, *words, code=1, flags=()):
        self.assert_fails(self.fit(self.write("bad.txt", content), *flags), code, *words)
        self.assertFalse((self.folder / "head.gguf").exists())

    def test_rows_are_named_by_line(self):
        pair = '{"prompt": "Hi", "chosen": "a", "rejected": "b"}\n'
        self.refuses(pair + '{"prompt": "Hi", "chosen": "a"}\n', "bad.txt line 2", "'rejected'")
        self.refuses(pair + "{\n", "bad.txt line 2", "not valid JSON")
        self.refuses(pair + '{"response": "a", "label": 1}\n', "bad.txt line 2", "pairs and single")
        self.refuses(b"1 good\n0 \xff\n", "bad.txt line 2", "UTF-8")
        self.refuses("1 good\n3 bad\n", "bad.txt line 2", "neither 0 nor 1")
        self.refuses('{"response": "a"}\n', "bad.txt line 1", "no 'label'")
        self.refuses(pair + '{"chosen": "a", "rejected": "b"}\n', "bad.txt line 2", "no prompt")

    def test_too_little_or_one_class(self):
        self.refuses("", "no rows")
        self.refuses("1 good\n0 bad\n", "too few")
        self.refuses("".join(f"1 good {i}\n" for i in range(50)), "both classes")

    def test_pairs_that_say_nothing_are_counted(self):
        data = self.pairs()
        rows = data.read_text() + '{"prompt": "Hi", "chosen": "a", "rejected": "a"}\n' * 2
        rows += '{"prompt": "Hi", "chosen": "", "rejected": "a"}\n'
        report = self.report(self.write("more.jsonl", rows))
        self.assertEqual(report["left_out"], {"identical": 2, "empty": 1, "prompt_too_long": 0,
                                              "prompt_in_test": 0})
        self.assertEqual(report["fitted"] + report["held_out"], 60)

    def test_long_texts_are_cut_and_counted(self):
        rows = self.labelled().read_text() + f"1 {'good ' * 60}\n"
        self.assertEqual(self.report(self.write("t.txt", rows), "--max-tokens", 40)["cut"], 1)

    def test_flags_that_make_no_sense(self):
        good = self.labelled().read_text()
        self.refuses(good, "--loss pairwise needs pairs", code=2, flags=("--loss", "pairwise"))
        self.refuses(good, "--l2 -1", code=2, flags=("--l2", "-1"))
        self.refuses(good, "--holdout", code=2, flags=("--holdout", "1.5"))
        self.refuses(good, "--test or --holdout", code=2,
                     flags=("--holdout", "0.5", "--test", "t.txt"))
        self.refuses(good, "--max-tokens", code=2, flags=("--max-tokens", 0))
        self.refuses(good, "folds", flags=("--folds", 1))
        self.assert_fails(self.fit(self.folder / "none"), 1, "none", "check the path")
        self.assert_fails(self.fit(self.labelled(), out="no/such/head.gguf"), 1, "no/such")
        self.assert_fails(self.tq("fit", "--data", "a", "--from-json", "b", "--out", "c"), 2,
                          "--data", "--from-json")


if __name__ == "__main__":
    unittest.main()
