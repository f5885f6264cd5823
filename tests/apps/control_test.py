"""tq control: a control vector from contrasts, what it does to a policy, and bad input."""

import json
import unittest

from tq_command import TinyTest

SYSTEMS = ("--positive", "You are good and kind.", "--negative", "You are bad.")


class ControlTest(TinyTest):
    def control(self, *args, out="vector.gguf", model=None, threads=1):
        return self.tq("control", "--model", model or self.model, "--out", self.folder / out,
                       "--threads", threads, *args)

    def report(self, *args, **options):
        return json.loads(self.assert_ok(self.control(*args, "--json", **options)).out)

    def pairs(self, rows):
        return self.write("pairs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def response(self, control=None):
        args = () if control is None else ("--baseline", f"control={self.folder}/{control}")
        return self.row("Say a good thing", "--max-tokens", 12, *args)["response"]

    def test_system_prompts(self):
        report = self.report(*SYSTEMS)
        self.assertEqual(report["pairs"], 12)
        self.assertEqual((report["method"], report["pooling"]), ("mean", "mean"))
        self.assertEqual(report["model_layers"], 2)
        self.assertEqual([layer["layer"] for layer in report["layers"]], [1])
        self.assertGreater(report["layers"][0]["length"], 0)
        self.assertGreater(report["layers"][0]["agreement"], 0.9)
        self.assertGreater(report["evaluations"], 0)
        self.assertRegex(report["data"], r"\A[0-9a-f]{64}\Z")
        self.assertIn("'You are good and kind.' against 'You are bad.'", report["contrast"])

    def test_it_makes_a_baseline_by_its_scale(self):
        self.report(*SYSTEMS)
        plain = self.response()
        self.assertNotEqual(self.response("vector.gguf,control-scale=4"), plain)
        self.assertNotEqual(self.response("vector.gguf,control-scale=-4"), plain)
        self.assertEqual(self.response("vector.gguf,control-scale=0"), plain)

    def test_the_same_command_gives_the_same_bytes(self):
        files = []
        for name, args, threads in (("a", (), 1), ("b", (), 2), ("c", ("--method", "pca"), 1),
                                    ("d", ("--pooling", "last"), 1)):
            self.report(*SYSTEMS, *args, out=name, threads=threads)
            files.append((self.folder / name).read_bytes())
        self.assertEqual(files[0], files[1])
        self.assertEqual(len({files[0], files[2], files[3]}), 3)

    def test_a_text_for_a_person(self):
        out = self.assert_ok(self.control("--positive", "Be kind")).out
        for words in ("wrote ", "a control vector for tiny.gguf", "'Be kind' against no system",
                      "layers 1-1 of 2", "point its way", "--baseline control="):
            self.assertIn(words, out)

    def test_prompts_of_ones_own(self):
        report = self.report(*SYSTEMS, "--prompts", self.write_prompts(3))
        self.assertEqual(report["pairs"], 3)

    def test_pairs(self):
        rows = [{"positive": f"good {i}", "negative": f"bad {i}"} for i in range(6)]
        rows += [{"prompt": "Say", "chosen": "good", "rejected": "bad"},
                 {"positive": "same", "negative": "same"}, {"positive": "", "negative": "bad"}]
        data = self.pairs(rows)
        report = self.report("--data", data)
        self.assertEqual(report["pairs"], 7)
        self.assertEqual(report["left_out"], {"identical": 1, "empty": 1, "prompt_too_long": 0})
        self.assertEqual(report["contrast"], "positive against negative texts of pairs.jsonl")
        self.assertEqual(self.report("--data", data, "--limit", 4)["pairs"], 4)
        self.assertGreater(self.report("--data", data, "--max-tokens", 2)["cut"], 0)

    def test_a_setup_file(self):
        setup = self.write("setup.toml", 'positive = "Be kind"\nnegative = "Be rude"\n'
                                         'method = "pca"\nlayers = "1"\n')
        report = self.report("--setup", setup)
        self.assertEqual(report["method"], "pca")
        self.assertIn("'Be kind' against 'Be rude'", report["contrast"])

    def test_files_that_a_setup_names_lie_beside_it(self):
        (self.folder / "sub").mkdir()
        for name in ("a", "b"):
            self.write(f"sub/{name}.jsonl", json.dumps({"positive": name, "negative": "c"}))
        setup = self.write("sub/setup.toml", 'data = "a.jsonl,b.jsonl"\n')
        self.assertEqual(self.report("--setup", setup)["pairs"], 2)

    def test_another_models_vector(self):
        wide = self.make("model", "wide.gguf", "--embedding", 64)
        self.report(*SYSTEMS, model=wide)
        result = self.generate("Hi", "--baseline", f"control={self.folder}/vector.gguf")
        self.assert_fails(result, 1, "vector.gguf", "tiny.gguf", "64", "width 32")

    def test_bad_usage(self):
        data = self.pairs([{"positive": "a", "negative": "b"}])
        for words, args in ((("--positive", "--data"), ()),
                            (("--positive", "--data"), (*SYSTEMS, "--data", data)),
                            (("the same",), ("--positive", "Be", "--negative", "Be")),
                            (("--prompts", "--positive"), ("--data", data, "--prompts", data)),
                            (("--limit", "--data"), (*SYSTEMS, "--limit", 3)),
                            (("--method",), (*SYSTEMS, "--method", "median")),
                            (("--layers 0-1",), (*SYSTEMS, "--layers", "0-1")),
                            (("--layers 1-",), (*SYSTEMS, "--layers", "1-")),
                            (("--layers one",), (*SYSTEMS, "--layers", "one")),
                            (("1-7", "1-1"), (*SYSTEMS, "--layers", "1-7")),
                            (("--context",), (*SYSTEMS, "--context", 99))):
            with self.subTest(args=args):
                self.assert_fails(self.control(*args), 2, *words)
        self.assert_fails(self.tq("control", *SYSTEMS), 2, "--out")

    def test_bad_input(self):
        for words, text in ((("line 2", "negative"), '{"positive":"a","negative":"b"}\n'
                                                     '{"positive":"a"}\n'),
                            (("line 1", "JSON"), "{positive\n"),
                            (("line 1", "pairs"), '{"text":"a","label":1}\n'),
                            (("no pair",), '{"positive":"a","negative":"a"}\n')):
            with self.subTest(text=text):
                result = self.control("--data", self.write("bad.jsonl", text))
                self.assert_fails(result, 1, *words)
        self.assertFalse((self.folder / "vector.gguf").exists())
        raw = self.control(*SYSTEMS, "--format", "raw", "--prompts", self.write_prompts(1))
        self.assert_ok(raw)  # the system prompt is text like any other
        plain = self.make("model", "plain.gguf", "--no-template")
        self.assert_fails(self.control(*SYSTEMS, model=plain), 1, "chat template")
        self.assert_fails(self.control(*SYSTEMS, out="no/such.gguf"), 1, "can't write")
        self.assert_fails(self.control(*SYSTEMS, model="none.gguf"), 1, "none.gguf")


if __name__ == "__main__":
    unittest.main()
