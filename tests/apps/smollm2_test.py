"""The command on the default model: the examples of `generate --help`, and answers with sense."""

import json
import unittest

from help_test import examples
from tq_command import CommandTest, read_rows


class RealTest(CommandTest):
    real = True

    def row(self, *args):
        rows = self.assert_ok(self.tq("generate", "--threads", 1, "--json", *args)).rows()
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_the_model_is_the_one_that_was_published(self):
        rows = {row["name"]: row for row in self.tq("models", "--json", "--verify").rows()}
        self.assertEqual(rows["smollm2"]["state"], "verified")

    def test_examples_of_the_help(self):
        self.write_prompts(2)
        for example in examples(self.tq("generate", "--help").out):
            with self.subTest(example=example):
                short = [("--max-tokens", 3), ("--top-k", 3), ("--horizon", 4), ("--threads", 1)]
                extra = [x for flag, n in short if flag not in example for x in (flag, n)]
                result = self.assert_ok(self.tq(*example, *extra))
                self.assertEqual(result.out == "", "--out" in example)
        self.assertEqual([row["decoder"] for row in read_rows(self.folder / "results.jsonl")],
                         ["best-of"] * 2)

    def test_it_answers(self):
        row = self.row("What is the capital of France?", "--max-tokens", 20)
        self.assertIn("Paris", row["response"])

    def test_its_end_of_text_is_seen(self):
        row = self.row("Say only: Hello", "--max-tokens", 100)
        self.assertEqual(row["finish_reason"], "stop")
        self.assertNotIn("<|im_end|>", row["response"])

    def test_the_shipped_head_tells_moods_apart(self):
        glad, sad = (self.row(f"Repeat this sentence, and nothing else: {text}", "--reward",
                              "head=sentiment", "--max-tokens", 12)["reward"]
                     for text in ("I love this wonderful movie.", "I hate this awful movie."))
        self.assertGreater(glad, sad + 1)

    def test_transfer_raises_the_reward(self):
        texts = ("Write one line about a terrible movie.", "Describe a boring meeting.",
                 "How was the weather?")
        prompts = self.write("prompts.jsonl",
                             "".join(json.dumps({"prompt": text}) + "\n" for text in texts))
        args = ("generate", "--prompts", prompts, "--json", "--threads", 1, "--max-tokens", 12,
                "--reward", "head=sentiment", "--decoder")
        plain = self.assert_ok(self.tq(*args, "greedy")).rows()
        tq = self.assert_ok(self.tq(*args, "tq", "--top-k", 5, "--horizon", 8, "--alpha",
                                    0.1)).rows()
        self.assertGreater(sum(row["reward"] for row in tq), sum(row["reward"] for row in plain))
        for row in tq:
            self.assertEqual(row["evaluations"]["reward"], 0)  # reads the policy's own states
            spent = row["evaluations"]["policy"] / row["response_tokens"]
            self.assertLessEqual(spent, 5 * (8 + 1) + 2)

    def test_a_control_vector_steers(self):
        vector = self.folder / "glad.gguf"
        self.assert_ok(self.tq("control", "--positive", "You are delighted and full of joy.",
                               "--negative", "You are miserable and full of gloom.", "--out",
                               vector, "--threads", 1))
        texts = ("How was your weekend?", "Write one line about a meeting.",
                 "What should I do this evening?", "Describe your favourite place.",
                 "Tell me something about dogs.", "What makes a good friend?",
                 "What do you think of winter?", "Describe a rainy day.",
                 "How was the weather?", "What did you dream about?")
        prompts = self.write("prompts.jsonl",
                             "".join(json.dumps({"prompt": text}) + "\n" for text in texts))

        def mean(scale):
            result = self.tq("generate", "--prompts", prompts, "--json", "--threads", 1,
                             "--max-tokens", 12, "--reward", "head=sentiment", "--baseline",
                             f"control={vector},control-scale={scale}")
            rows = self.assert_ok(result).rows()
            return sum(row["reward"] for row in rows) / len(rows)

        plain = mean(0)
        self.assertGreater(mean(1), plain + 0.5)
        self.assertLess(mean(-1), plain - 0.5)

    def test_a_head_for_another_quantisation(self):
        result = self.tq("generate", "Hi", "--threads", 1, "--model", "smollm2-f32", "--decoder",
                         "tq", "--reward", "head=sentiment")
        self.assert_fails(result, 1, "sentiment.gguf", "SmolLM2-135M-Instruct.F32.gguf",
                          "another model or quantisation", "model=")


if __name__ == "__main__":
    unittest.main()
