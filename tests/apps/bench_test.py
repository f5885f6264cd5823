"""`tq bench`: its rows, its page, another implementation beside it, and mistakes."""

import json
import re
import shlex
import shutil
import sys
import unittest

from tq_command import TinyTest

TQ_FLAGS = ("--decoder", "tq", "--reward", "length=20", "--top-k", "3", "--horizon", "2",
            "--rollout-choose", "greedy")


class BenchTest(TinyTest):
    def bench(self, *args, model=None, **options):
        tokens = () if "--tokens" in args else ("--tokens", 4)
        return self.tq("bench", "--model", model or self.model, "--threads", 1, "--format", "raw", *tokens,
                       *args, **options)

    def report(self, *args):
        done = self.assert_ok(self.bench("--json", *args))
        self.assertEqual(done.err, "")
        return json.loads(done.out)

    def test_rows_beside_each_other(self):
        report = self.report("--lengths", "60,120", "--together", "1,2", *TQ_FLAGS)
        self.assertEqual(report["model"], self.model.name)
        self.assertIn("cores", report["machine"])
        self.assertIn("--top-k 3", report["command"])
        rows = report["rows"]
        self.assertEqual([row["what"] for row in rows], ["plain", "tq", "engine"] * 4)
        self.assertEqual([row["together"] for row in rows], [1] * 3 + [2] * 3 + [1] * 3 + [2] * 3)
        for plain, tq, engine in zip(rows[::3], rows[1::3], rows[2::3]):
            self.assertLessEqual(plain["prompt_tokens"], 120)
            self.assertEqual(plain["evaluations_per_token"], 1)
            # k + k (h - 1), less where a roll-out ends early.
            self.assertLessEqual(tq["evaluations_per_token"], 3 + 3)
            self.assertGreater(tq["evaluations_per_token"], 3)
            self.assertEqual(engine["shape"], "3 x 3")
            self.assertAlmostEqual(
                tq["of_engine"],
                tq["evaluations_per_second"] / engine["evaluations_per_second"])
            self.assertAlmostEqual(tq["over_plain"],
                                   tq["seconds_per_token"] / plain["seconds_per_token"])
            for row in (plain, tq, engine):
                for key in ("tokens", "seconds_per_token", "tokens_per_second",
                            "first_token_seconds"):
                    self.assertGreater(row[key], 0)

    def test_a_tuning_is_kept_for_later_commands(self):
        env = self.env(XDG_CACHE_HOME=self.folder / "cache")
        done = self.assert_ok(self.bench("--tune", "--json", "--lengths", 60, *TQ_FLAGS, env=env))
        report = json.loads(done.out)
        self.assertEqual([row["what"] for row in report["rows"]],
                         ["threads 1", "flash attention off", "flash attention on",
                          "micro-batch 32"])
        path = self.folder / "cache/transferq/tuning.json"
        kept = json.loads(path.read_text())
        (one,) = kept.values()
        for key in ("flash_attention", "micro_batch"):
            self.assertEqual(one[key], report[key])
        text = self.assert_ok(self.bench("--tune", "--lengths", 60, *TQ_FLAGS, env=env)).out
        self.assertIn("kept for this model", text)

        def settings(content, *flags):
            path.write_text(content)
            return self.row("Hi", "--max-tokens", 4, "--decoder", "greedy", *flags,
                            env=env)["settings"]

        # What is kept is taken, as if it were a flag; a flag wins; a broken file is none.
        one.update(flash_attention="on", micro_batch=512)
        by_file = settings(json.dumps(kept))
        plain = settings("{")
        self.assertNotEqual(by_file, plain)
        self.assertEqual(settings("{", "--flash-attention", "on"), by_file)
        self.assertEqual(settings(json.dumps({key: {"x": 1} for key in kept})), plain)
        self.assertEqual(settings(json.dumps(kept), "--flash-attention", "off"),
                         settings("{", "--flash-attention", "off"))
        one.update(flash_attention="auto", micro_batch=32)
        self.assertEqual(settings(json.dumps(kept)), settings("{", "--micro-batch", 32))
        self.assertEqual(settings(json.dumps(kept), "--micro-batch", 512), plain)
        self.assertNotEqual(settings(json.dumps(kept)), plain)
        one["micro_batch"] = -1
        self.assertEqual(settings(json.dumps(kept)), plain)
        # Of another kind of memory nothing was measured.
        self.assertEqual(settings(json.dumps(kept), "--cache", "f32"),
                         settings("{", "--cache", "f32"))

    def test_other_weights_of_the_model_are_measured_beside_it(self):
        models = self.folder / "models"
        models.mkdir()
        for name in ("Q4_1", "F32"):
            shutil.copy(self.model, models / f"SmolLM2-135M-Instruct.{name}.gguf")
        env = self.env(XDG_CACHE_HOME=self.folder / "cache", TQ_MODELS_DIR=models)
        flags = ("--tune", "--lengths", 60, *TQ_FLAGS)
        done = self.assert_ok(self.bench(*flags, "--json", model="smollm2", env=env))
        report = json.loads(done.out)
        (other,) = report["other_weights"]
        self.assertEqual(other["model"], "smollm2-f32")
        self.assertLess(other["differs"], 0.05)  # the same weights here, under the best settings
        self.assertGreater(other["evaluations_per_second"], 0)
        text = self.assert_ok(self.bench(*flags, model="smollm2", env=env)).out
        self.assertRegex(text, r"--model smollm2-f32 +\d")
        # A file of one's own has no others.
        own = self.bench(*flags, "--json", env=env)
        self.assertEqual(json.loads(self.assert_ok(own).out)["other_weights"], [])

    def test_tuning_measures_the_engine_alone(self):
        for flags in (("--html", "x.html"), ("--compare", "true"), ("--together", 2),
                      ("--flash-attention", "on"), ("--micro-batch", 64)):
            self.assert_fails(self.bench("--tune", *flags), 2, "--tune", flags[0])

    def test_the_default_is_plain_decoding(self):
        rows = self.report("--lengths", "60")["rows"]
        self.assertEqual([row["what"] for row in rows], ["greedy", "engine"])

    def test_the_command_is_told_so_that_it_can_be_typed_again(self):
        command = self.report("--lengths", "60", "--decoder", "args", "--top-k", "2", "--reward",
                              "regex=it's a b")["command"]
        words = shlex.split(command)
        self.assertEqual(words[:2], ["tq", "bench"])
        self.assertIn("regex=it's a b", words)
        again = json.loads(self.assert_ok(self.tq(*words[1:])).out)
        self.assertEqual(again["command"], command)
        self.assertEqual(again["rows"][-1]["shape"], "2 x 1")

    def test_table(self):
        done = self.assert_ok(self.bench("--lengths", "60", *TQ_FLAGS))
        head, *rows = done.out.splitlines()
        for name in ("s a token", "evals a token", "of engine", "first token"):
            self.assertIn(name, head)
        self.assertEqual(len(rows), 3)
        self.assertRegex(rows[1], r"^ +\d+ +1  tq +\d\.\d+ +\d+\.\d +\d\.\d +\d+ +\d+%")

    def test_page(self):
        page = self.folder / "bench.html"
        self.assert_ok(self.bench("--lengths", "60,120", "--html", page, *TQ_FLAGS))
        text = page.read_text()
        self.assertEqual(text.count("<svg"), 3)
        self.assertEqual(re.findall(r"(?:src|href)=", text), [])
        self.assertIn("tq bench --model", text)

    def test_another_implementation(self):
        script = self.write("other.py", "\n".join([
            "import json, sys",
            "asked = json.loads(sys.stdin.readline())",
            "assert asked['prompt'].startswith('Story 1.') and asked['prompt_tokens'] <= 60",
            "print('some log')",
            "print(json.dumps({'tokens': asked['tokens'], 'seconds': 2, 'evaluations': 40}))"]))
        command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"
        rows = self.report("--lengths", "60", "--together", "1,2", "--compare", command)["rows"]
        self.assertEqual([row["what"] for row in rows],
                         ["greedy", "engine", "compared", "greedy", "engine"])
        self.assertEqual(rows[2]["seconds_per_token"], 0.5)
        self.assertEqual(rows[2]["evaluations_per_token"], 10)
        self.assertEqual(rows[2]["evaluations_per_second"], 20)

    def test_another_implementation_that_fails(self):
        for command, words in (("echo no such model >&2; exit 3", ("status 3", "no such model")),
                               ("echo fast", ("did not end with a line",)),
                               ("echo '{\"tokens\": 3}'", ("seconds",)),
                               ("echo '{\"tokens\": 0, \"seconds\": 1}'", ("above 0",)),
                               ("kill -9 $$", ("--compare",))):
            with self.subTest(command=command):
                done = self.bench("--json", "--lengths", "60", "--compare", command)
                self.assert_fails(done, 1, *words)

    def test_mistakes(self):
        for args, words in ((("--tokens", "0"), ("--tokens 0",)),
                            (("--lengths", "0"), ("--lengths",)),
                            (("--lengths", "60,x"), ("--lengths",)),
                            (("--together", "0"), ("--together",)),
                            (("--max-tokens", "9"), ("--tokens",)),
                            (("--lengths", "1"), ("too few",)),
                            (("--decoder", "tq"), ("--reward",))):
            with self.subTest(args=args):
                self.assert_fails(self.bench(*args), 2, *words)
        self.assert_fails(self.bench("--html", self.folder / "none" / "x.html"), 1, "none")
        self.assertEqual(self.bench("--lengths", "5000").code, 1)  # longer than the model's context


if __name__ == "__main__":
    unittest.main()
