"""Models, adapters and heads that can't be used."""

import json
import unittest

from tq_command import TinyTest

WEIGHTS = {"weights": [0.1 * i for i in range(32)], "bias": 0.5}


class ModelsTest(TinyTest):
    def refuses(self, model, *words, code=1):
        with self.subTest(model=model):
            self.assert_fails(self.generate("Hi", model=model), code, *words)

    def test_missing_file(self):
        self.refuses("none.gguf", "none.gguf", "path", "tq models")
        self.refuses("no/such/model", "no/such/model", "path")

    def test_unknown_name(self):
        self.refuses("smolm2", "'smolm2'", "did you mean 'smollm2'", "tq models", code=2)

    def test_known_name_that_is_not_here(self):
        self.refuses("smollm2", "smollm2", str(self.models_dir), "make demo")
        self.refuses("smollm2-f32", "tq models --make smollm2-f32")
        self.refuses("gemma3-270m", "scripts/models/get gemma3-270m")

    def test_truncated_gguf(self):
        data = self.model.read_bytes()
        for size in (len(data) - 1, len(data) // 2, 1000, 24, 5):
            path = self.write(f"cut-{size}.gguf", data[:size])
            self.refuses(path, path.name, "whole")

    def test_files_that_are_no_gguf(self):
        for content in (b"", b"Dear model,\nplease be kind.\n" * 50, bytes(5000)):
            path = self.write("letter.gguf", content)
            self.refuses(path, "letter.gguf", "GGUF")

    def test_a_folder(self):
        self.refuses(self.folder, str(self.folder), "GGUF")

    def test_a_folder_of_a_shipped_heads_name_does_not_hide_it(self):
        (self.folder / "sentiment").mkdir()
        result = self.generate("Hi", "--decoder", "best-of", "--reward", "head=sentiment")
        self.assert_fails(result, 1, "sentiment.gguf")  # found, and for another model

    def test_gguf_files_that_are_no_language_model(self):
        self.refuses(self.make("lora", "lora.gguf"), "lora.gguf")
        self.refuses(self.make("control", "control.gguf"), "control.gguf")

    def test_no_chat_template(self):
        plain = self.make("model", "plain.gguf", "--no-template")
        self.refuses(plain, "plain.gguf", "chat template", "--format raw")
        self.assert_ok(self.generate("Hi", "--format", "raw", "--max-tokens", 2, model=plain))

    def test_adapters(self):
        for key in ("lora", "control"):
            self.refuses(f"{self.model},{key}=none.gguf", "none.gguf")
            self.refuses(f"{self.model},{key}={self.write('text', 'hi')}", "text")
            self.refuses(f"{self.model},{key}={self.model}", "tiny.gguf")
            wide = self.make("model", "wide.gguf", "--embedding", 64)
            adapter = self.make(key, f"{key}-32.gguf")
            self.refuses(f"{wide},{key}={adapter}", adapter.name)


class HeadsTest(TinyTest):
    def fit(self, head, *args, name="head.json", out="head.gguf", model=None):
        text = head if isinstance(head, (str, bytes)) else json.dumps(head)
        return self.tq("fit", "--from-json", self.write(name, text), "--model",
                       model or self.model, "--out", self.folder / out, *args)

    def refuses(self, reward, *words, code=1, model=None):
        result = self.generate("Hi", "--decoder", "best-of", "--reward", reward, model=model)
        self.assert_fails(result, code, *words)

    def test_fitted_here(self):
        self.assertEqual(self.assert_ok(self.fit(WEIGHTS)).out,
                         f"wrote {self.folder}/head.gguf, a head for tiny.gguf\n")
        row = self.row("Hi", "--decoder", "best-of", "--samples", 2, "--max-tokens", 3, "--reward",
                       f"head={self.folder}/head.gguf")
        self.assertIsInstance(row["reward"], float)

    def test_another_base_or_quantisation(self):
        self.assert_ok(self.fit(WEIGHTS))
        head = f"head={self.folder}/head.gguf"
        others = [self.make("model", "other.gguf", "--seed", 2), self.convert("q8_0"),
                  self.convert("f16")]
        for other in others:
            with self.subTest(other=other.name):
                self.refuses(head, "head.gguf", "tiny.gguf", other.name, "another model or quantis",
                             "model=", "force=1", model=other)
                self.refuses(f"{head},model={other}", other.name)
                self.row("Hi", "--decoder", "best-of", "--samples", 2, "--max-tokens", 2,
                         "--reward", f"{head},force=1", model=other)
                self.row("Hi", "--decoder", "best-of", "--samples", 2, "--max-tokens", 2,
                         "--reward", f"{head},model={self.model}", model=other)

    def test_another_width(self):
        wide = self.make("model", "wide.gguf", "--embedding", 64)
        self.assert_fails(self.fit(WEIGHTS, model=wide), 1, "32 weights", "wide.gguf",
                          "64 hidden values", "--model")
        self.assert_ok(self.fit(WEIGHTS))
        self.refuses(f"head={self.folder}/head.gguf", "32", "64", "wide.gguf", model=wide)

    def test_files_that_are_no_head(self):
        self.refuses(f"head={self.model}", "tiny.gguf", "not a reward head", "tq fit")
        self.refuses(f"head={self.write('text.gguf', 'hi')}", "text.gguf", "GGUF")
        self.refuses("head=nothing", "'nothing'", "tq models")
        self.assert_ok(self.fit(WEIGHTS))
        data = (self.folder / "head.gguf").read_bytes()
        for size in (len(data) - 1, len(data) // 2, 10):
            self.refuses(f"head={self.write('cut.gguf', data[:size])}", "cut.gguf")

    def test_json_that_is_no_head(self):
        for head in ({}, [], {"weights": "abc"}, {"weights": [1, "x"]}, {"weights": None},
                     {**WEIGHTS, "bias": "much"}):
            self.assert_fails(self.fit(head), 1, "head.json", "weights")
        self.assert_fails(self.fit({"weights": []}), 1, "0 weights")
        self.assert_fails(self.fit('{"weights": [1,'), 1, "head.json", "not valid JSON", "byte")
        self.assert_fails(self.fit(b"\xff\xfe"), 1, "head.json", "not valid JSON")
        self.assert_fails(self.fit({**WEIGHTS, "feature": "mean of all tokens"}), 1,
                          "'mean of all tokens'", "last token")
        self.assertFalse((self.folder / "head.gguf").exists())

    def test_fit_reads_and_writes_what_it_can(self):
        self.assert_fails(self.tq("fit", "--from-json", "none.json", "--model", self.model, "--out",
                                  "h.gguf"), 1, "none.json", "path")
        self.assert_fails(self.fit(WEIGHTS, out="no/folder/h.gguf"), 1, "no/folder/h.gguf")
        self.assert_fails(self.fit(WEIGHTS, "--text", "prompt"), 2, "--text", "conversation",
                          "response")


if __name__ == "__main__":
    unittest.main()
