"""--help, --version and `tq models`: what a newcomer types first."""

import json
import re
import shlex
import unittest

from tq_command import CommandTest, TinyTest


def examples(help_text):
    """The commands that a help text shows, as lists of arguments behind `tq`."""
    lines = re.findall(r"^  (tq .*)$", help_text, re.M)
    return [shlex.split(re.sub(r"\s{3,}.*", "", line))[1:] for line in lines]


class HelpTest(CommandTest):
    def help(self, *command):
        result = self.assert_ok(self.tq(*command, "--help"))
        self.assertEqual(result.err, "")
        return result.out

    def test_tq(self):
        for text in (self.help(), self.assert_ok(self.tq()).out):
            for word in ("generate", "fit", "models", "--version", "COMMAND --help",
                         "tq generate \""):
                self.assertIn(word, text)

    def test_each_command_has_an_example(self):
        for command in re.findall(r"^  (\w+) ", self.help().split("Subcommands:")[1], re.M):
            with self.subTest(command=command):
                text = self.help(command)
                self.assertRegex(text, "Examples?:")
                self.assertGreater(len(examples(text)), 0)
                for example in examples(text):
                    self.assertEqual(example[0], command)

    def test_every_flag_is_explained(self):
        for command in ("generate", "score", "fit", "control", "eval", "report", "bench", "models"):
            for line in re.findall(r"^  (--.*(?:\n {20,}.*)?)", self.help(command), re.M):
                self.assertRegex(line, r"\s{2,}\S+ \S+|\n +\S+ \S+", line)

    def test_generate_names_what_there_is(self):
        text = self.help("generate")
        for name in ("args|best-of|cards|cbs|cd|genarm|greedy|official|sample|soft-best-of|",
                     "baseline|reference", "chat|raw", "direct|indirect|soft", "head=", "length=",
                     "regex=", "words=", "system=", "lora=",
                     "control=", "TOML"):
            self.assertIn(name, text)

    def test_examples_parse(self):
        self.write_prompts(2)
        (self.folder / "head.json").write_text(json.dumps({"weights": [0.0]}))
        self.write("answers.jsonl", json.dumps({"prompt": "p", "response": "r"}))
        self.write("pairs.jsonl", json.dumps({"prompt": "p", "chosen": "r", "rejected": "s"}))
        for command in ("generate", "score", "fit", "control"):
            for example in examples(self.help(command)):
                with self.subTest(example=example):
                    # Without a model, all is well but that.
                    env = self.env(TQ_MODELS_DIR=self.folder / "empty")
                    self.assert_fails(self.tq(*example, env=env), 1, "the model smollm2 is not at")

    def test_version(self):
        result = self.assert_ok(self.tq("--version"))
        self.assertRegex(result.out, r"\Atq \d+\.\d+\.\d+ \(llama\.cpp \S[^\n]*\)\n\Z")


class ModelsTest(TinyTest):
    def test_rows(self):
        rows = self.assert_ok(self.tq("models", "--json")).rows()
        by_name = {row["name"]: row for row in rows}
        self.assertEqual(set(by_name), {"smollm2", "smollm2-f32", "smollm2-q4_0",
                                         "gemma3-270m", "gemma3-270m-f32", "minilm"})
        kinds = {"name": str, "present": bool, "state": str, "path": str, "bytes": int,
                 "sha256": str, "license": str, "source": str}
        for row in rows:
            self.assertEqual({key: type(value) for key, value in row.items()}, kinds)
            self.assertIs(row["present"], False)
            self.assertTrue(row["path"].startswith(str(self.models_dir)))
        self.assertRegex(by_name["smollm2"]["sha256"], r"\A[0-9a-f]{64}\Z")
        self.assertEqual(by_name["smollm2"]["license"], "Apache-2.0")

    def test_table(self):
        text = self.assert_ok(self.tq("models")).out
        for word in ("smollm2", "smollm2-f32", "not here", "98 MB", "Apache-2.0", "sha256",
                     str(self.models_dir), "head=NAME", "sentiment", "--model FILE.gguf"):
            self.assertIn(word, text)

    def test_damaged_files(self):
        file = self.models_dir / "SmolLM2-135M-Instruct.Q4_1.gguf"
        self.addCleanup(file.unlink)
        file.write_bytes(b"GGUF")
        result = self.tq("models")
        self.assert_message(result, 1, file.name, "wrong size", "make demo")
        self.assertIn("damaged", result.out)
        with file.open("r+b") as sparse:
            sparse.truncate(98362432)
        self.assertIn("here", self.assert_ok(self.tq("models")).out)
        self.assert_message(self.tq("models", "--verify"), 1, file.name, "wrong SHA-256")

    def test_conversion_without_its_source(self):
        self.assert_fails(self.tq("models", "--make", "smollm2-f32"), 1, "smollm2", "make demo")
        self.assert_fails(self.tq("models", "--make", "smollm2"), 2, "'smollm2'", "no conversion")


if __name__ == "__main__":
    unittest.main()
