"""Prompts that can't be answered: the message names the line; no row is printed."""

import json
import unittest

from tq_command import TinyTest, read_rows


class OnePromptTest(TinyTest):
    def test_empty(self):
        for prompt in ("", " ", "\n\t "):
            with self.subTest(prompt=prompt):
                self.assert_fails(self.generate(prompt), 2, "the prompt is empty", "--prompts")
                self.assert_fails(self.generate("-", stdin=prompt), 2, "the prompt is empty")
        self.assert_fails(self.generate(), 2, "the prompt is empty")

    def test_invalid_utf8(self):
        for prompt, at in ((b"ab\xffc", 3), (b"\xc3", 1), (b"caf\xc3\xa9 \xed\xa0\x80", 7)):
            with self.subTest(prompt=prompt):
                words = ("not valid UTF-8", f"byte {at}")
                self.assert_fails(self.generate("-", stdin=prompt), 1, *words)
                # Python hands such bytes over as what it calls surrogate escapes.
                argument = prompt.decode(errors="surrogateescape")
                self.assert_fails(self.generate(argument), 1, *words)

    def test_nul(self):
        self.assert_fails(self.generate("-", stdin=b"Hi\0 there"), 1, "NUL", "byte 3")

    def test_longer_than_the_context_asked_for(self):
        prompt = "word " * 30
        self.assert_fails(self.generate(prompt, "--context", 64, "--max-tokens", 4), 1,
                          "prompt", "context of 64",
                          "shorten the prompt, lower --max-tokens or raise --context")
        self.assert_ok(self.generate("Hi", "--context", 64, "--max-tokens", 4))

    def test_longer_than_the_models_context(self):
        for more in ((), ("--context", "4096")):
            result = self.generate("word " * 200, "--max-tokens", 4, *more)
            self.assert_fails(result, 1, "prompt", "context of 256",
                              "shorten the prompt or lower --max-tokens\n")

    def test_response_longer_than_the_context(self):
        self.assert_fails(self.generate("Hi", "--max-tokens", 300), 1, "300", "context of 256",
                          "lower --max-tokens")

    def test_the_context_counts_for_every_decoder(self):
        for decoder in ("sample", "best-of", "args", "cd", "tq", "official"):
            with self.subTest(decoder=decoder):
                result = self.generate("word " * 200, "--decoder", decoder, "--reward", "length=5",
                                       "--max-tokens", 4)
                self.assert_fails(result, 1, "context of 256")

    def test_prompt_and_file_together(self):
        file = self.write_prompts(1)
        self.assert_fails(self.generate("Hi", "--prompts", file), 2, "prompt", "--prompts",
                          "not both")


class PromptFileTest(TinyTest):
    def refuses(self, content, *words, code=1):
        path = self.write("bad.jsonl", content)
        with self.subTest(content=content):
            out = self.folder / "out.jsonl"
            self.assert_fails(self.generate("--prompts", path, "--json"), code, "bad.jsonl", *words)
            self.assert_fails(self.generate("--prompts", path, "--out", out), code, *words)
            self.assertFalse(out.exists())

    def test_missing(self):
        self.assert_fails(self.generate("--prompts", "none.jsonl"), 1, "none.jsonl", "path")
        self.assert_fails(self.generate("--prompts", self.folder), 1, str(self.folder), "path")

    def test_empty_file(self):
        for content in ("", "\n", "  \n\n"):
            self.refuses(content, "no prompts")

    def test_malformed_json(self):
        good = '{"id": "a", "prompt": "Hi"}\n'
        self.refuses(good + '{"id": "b", "prompt": \n', "line 2", "not valid JSON", "byte")
        self.refuses(good + "\n\n" + "prompt: hi\n" + good, "line 4", "not valid JSON")
        self.refuses(good + '{"id": "b", "prompt": "\\ud800"}\n', "line 2", "not valid JSON")

    def test_rows_that_are_no_prompts(self):
        for row in ("[1]", '"text"', "7", "null"):
            self.refuses(row + "\n", "line 1", "object")
        self.refuses('{"id": "a"}\n', "line 1", "neither 'prompt' nor 'messages'")
        self.refuses('{"prompt": 5}\n', "line 1", "'prompt'", "string")
        self.refuses('{"messages": "hi"}\n', "line 1", "'messages'", "list")
        self.refuses('{"messages": ["hi"]}\n', "line 1", "role", "content")
        self.refuses('{"messages": [{"role": "boss", "content": "hi"}]}\n', "line 1", "'boss'",
                     "system, user or assistant")
        self.refuses('{"messages": [{"role": "user", "content": 3}]}\n', "line 1", "'content'")

    def test_empty_prompts(self):
        for row in ({"prompt": ""}, {"prompt": " \n"}, {"messages": []},
                    {"messages": [{"role": "user", "content": ""}]},
                    {"messages": [{"role": "user"}]}):
            self.refuses('{"prompt": "Hi"}\n' + json.dumps(row) + "\n", "line 2", "empty")

    def test_nul(self):
        self.refuses('{"prompt": "Hi"}\n{"prompt": "a\\u0000b"}\n', "line 2", "NUL")
        self.refuses('{"messages": [{"role": "system", "content": "\\u0000"}, '
                     '{"role": "user", "content": "Hi"}]}\n', "line 1", "NUL")

    def test_an_empty_id(self):
        self.refuses('{"id": "", "prompt": "Hi"}\n', "line 1", "id")

    def test_invalid_utf8(self):
        self.refuses(b'{"prompt": "Hi"}\n{"prompt": "caf\xe9"}\n', "line 2", "not valid UTF-8",
                     "byte 16", "UTF-8")

    def test_duplicate_ids(self):
        self.refuses('{"id": "a", "prompt": "x"}\n{"prompt": "y"}\n{"id": "a", "prompt": "z"}\n',
                     "line 3", "'a'", "twice")
        self.refuses('{"id": 1, "prompt": "x"}\n{"id": "1", "prompt": "y"}\n', "line 2", "twice")
        # A row without an id is known by its line.
        self.refuses('{"id": "2", "prompt": "x"}\n{"prompt": "y"}\n', "line 2", "'2'", "twice")

    def test_a_prompt_too_long_is_named(self):
        path = self.write("long.jsonl", json.dumps({"id": "huge", "prompt": "word " * 300}) + "\n")
        self.assert_fails(self.generate("--prompts", path, "--json"), 1, "'huge'", "context of 256")


class BadRowsAmongGoodOnesTest(TinyTest):
    """A prompt that can't be answered does not keep the others from it."""

    def setUp(self):
        super().setUp()
        self.good = [{"id": f"ok{i}", "prompt": f"Say {i}."} for i in range(3)]
        self.bad = [{"id": f"huge{i}", "prompt": "word " * 300} for i in range(2)]

    def run_rows(self, rows, *args):
        path = self.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return self.generate("--prompts", path, "--max-tokens", 4, *args)

    def test_the_rest_is_done_and_the_first_is_named(self):
        a, b, c = self.good
        for together in (1, 2):
            with self.subTest(together=together):
                out = self.folder / f"{together}.jsonl"
                rows = [a, self.bad[0], b, self.bad[1], c]
                for _ in range(2):  # the next run finds the same
                    result = self.run_rows(rows, "--out", out, "--together", together)
                    self.assert_fails(result, 1, "prompt 'huge0'", "context of 256",
                                      "1 more prompt failed")
                    self.assertEqual({row["id"] for row in read_rows(out)}, {"ok0", "ok1", "ok2"})
                self.assert_ok(self.run_rows([a, b, c], "--out", out))

    def test_rows_on_standard_output(self):
        a, b, c = self.good
        result = self.run_rows([self.bad[0], a, b, c], "--json")
        self.assert_message(result, 1, "prompt 'huge0'", "the other 3 are answered")
        self.assertEqual([row["id"] for row in result.rows()], ["ok0", "ok1", "ok2"])

    def test_all_of_them(self):
        self.assert_fails(self.run_rows(self.bad, "--json"), 1, "'huge0'", "1 more prompt failed")

    def test_failures_of_another_kind_stop_the_run(self):
        plain = self.make("model", "plain.gguf", "--no-template")
        path = self.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in self.good))
        result = self.generate("--prompts", path, "--json", model=plain)
        self.assert_fails(result, 1, "prompt 'ok0'", "chat template")
        self.assertNotIn("more prompt", result.err)


if __name__ == "__main__":
    unittest.main()
