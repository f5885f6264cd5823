"""The JSON rows: their fields and types, the explanation, and what a seed decides."""

import gzip
import json
import math
import unittest

from tq_command import TinyTest, without_seconds

FIELDS = {"id": str, "prompt": str, "response": str, "prompt_tokens": int, "response_tokens": int,
          "decoder": str, "seed": int, "finish_reason": str, "kl_to_reference": float,
          "kl_kind": str, "evaluations": dict, "seconds": float, "settings": str}
TQ = ("--decoder", "tq", "--reward", "length=5", "--top-k", 4, "--horizon", 3, "--max-tokens", 6)


class FieldsTest(TinyTest):
    def check_fields(self, row, reward):
        self.assertEqual(set(row) - {"steps", "messages"}, {*FIELDS, "reward"})
        for name, kind in FIELDS.items():
            self.assertIs(type(row[name]), kind, name)
        self.assertIs(type(row["reward"]), float if reward else type(None))
        self.assertEqual(set(row["evaluations"]), {"policy", "reference", "reward", "prompt"})
        for count in row["evaluations"].values():
            self.assertIs(type(count), int)
        self.assertIn(row["finish_reason"], ("stop", "length"))
        self.assertIn(row["kl_kind"], ("exact", "bound"))
        self.assertGreaterEqual(row["seconds"], 0)
        self.assertGreater(row["prompt_tokens"], 0)

    def test_plain(self):
        row = self.row("Hi there", "--max-tokens", 5, "--seed", 18446744073709551615)
        self.check_fields(row, reward=False)
        self.assertEqual((row["id"], row["prompt"], row["decoder"]), ("0", "Hi there", "greedy"))
        self.assertEqual(row["seed"], 18446744073709551615)
        self.assertEqual((row["finish_reason"], row["response_tokens"]), ("length", 5))
        self.assertEqual(row["evaluations"]["prompt"], row["prompt_tokens"])
        self.assertNotIn("steps", row)

    def test_with_a_reward(self):
        row = self.row("Hi there", *TQ)
        self.check_fields(row, reward=True)
        self.assertEqual(row["kl_kind"], "exact")
        words = len(row["response"].split())
        self.assertAlmostEqual(row["reward"], -abs(words - 5) / 5)

    def test_best_of(self):
        row = self.row("Hi there", "--decoder", "best-of", "--samples", 4, "--reward", "length=5",
                       "--max-tokens", 6)
        self.check_fields(row, reward=True)
        self.assertEqual(row["kl_kind"], "bound")
        self.assertAlmostEqual(row["kl_to_reference"], math.log(4) - 3 / 4)
        row = self.row("Hi there", "--decoder", "best-of", "--samples", 4, "--reward", "length=5",
                       "--max-tokens", 6, "--baseline", "system=Be kind")
        self.assertEqual(row["kl_kind"], "estimate")

    def test_plain_decoders_report_a_reward_too(self):
        self.check_fields(self.row("Hi", "--reward", "length=5", "--max-tokens", 4), reward=True)

    def test_the_end_of_a_response(self):
        row = self.row("Hi there", "--max-tokens", 200)
        self.assertEqual(row["finish_reason"], "stop")
        self.assertLess(row["response_tokens"], 200)
        self.assertNotIn("<|im_end|>", row["response"])

    def test_messages(self):
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Who?"}]
        path = self.write("m.jsonl", json.dumps({"id": "m", "messages": messages}) + "\n"
                          '{"prompt": "Who?"}\r\n\n')
        result = self.assert_ok(self.generate("--prompts", path, "--json", "--max-tokens", 5))
        rows = {row["id"]: row for row in result.rows()}
        self.assertEqual(set(rows), {"m", "2"})
        self.check_fields(rows["m"], reward=False)
        self.assertEqual((rows["m"]["prompt"], rows["m"]["messages"]), ("Who?", messages))
        self.assertNotIn("messages", rows["2"])
        self.assertGreater(rows["m"]["prompt_tokens"], rows["2"]["prompt_tokens"])


class ExplainTest(TinyTest):
    def test_steps(self):
        row = self.row("Hi there", *TQ, "--explain")
        self.assertEqual(len(row["steps"]), row["response_tokens"])
        for step in row["steps"]:
            self.assertEqual(set(step), {"candidates", "chosen"})
            self.assertEqual(len(step["candidates"]), 4)
            for candidate in step["candidates"]:
                self.assertEqual({key: type(value) for key, value in candidate.items()},
                                 {"token": int, "text": str, "logprob": float, "value": float,
                                  "probability": float})
                self.assertLess(candidate["logprob"], 0)
            self.assertIn(step["chosen"], [c["token"] for c in step["candidates"]])
            self.assertAlmostEqual(sum(c["probability"] for c in step["candidates"]), 1, places=9)

    def test_probabilities_are_the_models_own_tilted_by_the_values(self):
        row = self.row("Hi there", *TQ, "--alpha", 0.5, "--explain")
        for step in row["steps"]:
            weights = [math.exp(c["logprob"] + c["value"] / 0.5) for c in step["candidates"]]
            for candidate, weight in zip(step["candidates"], weights):
                self.assertAlmostEqual(candidate["probability"], weight / sum(weights), places=9)

    def test_alpha_inf_leaves_the_models_own_probabilities(self):
        for step in self.row("Hi there", *TQ, "--alpha", "inf", "--explain")["steps"]:
            weights = [math.exp(c["logprob"]) for c in step["candidates"]]
            for candidate, weight in zip(step["candidates"], weights):
                self.assertAlmostEqual(candidate["probability"], weight / sum(weights), places=9)

    def test_choose_greedy_takes_the_likeliest(self):
        for step in self.row("Hi there", *TQ, "--choose", "greedy", "--explain")["steps"]:
            best = max(step["candidates"], key=lambda c: c["probability"])
            self.assertEqual(step["chosen"], best["token"])

    def test_the_response_is_the_chosen_candidates(self):
        row = self.row("Hi there", *TQ, "--explain")
        texts = [next(c["text"] for c in step["candidates"] if c["token"] == step["chosen"])
                 for step in row["steps"]]
        self.assertEqual("".join(texts).removesuffix("<|im_end|>"), row["response"])

    def test_plain_decoders_name_the_token(self):
        row = self.row("Hi", "--explain", "--max-tokens", 3)
        self.assertEqual([step["candidates"] for step in row["steps"]], [[], [], []])

    def test_explaining_changes_nothing_else(self):
        plain = without_seconds(self.row("Hi there", *TQ))
        explained = without_seconds(self.row("Hi there", *TQ, "--explain"))
        explained.pop("steps")
        self.assertNotEqual(explained.pop("settings"), plain.pop("settings"))  # other rows
        self.assertEqual(explained, plain)


class SeedTest(TinyTest):
    def test_same_seed_same_row_another_seed_another(self):
        for decoder in ("sample", "tq", "best-of"):
            with self.subTest(decoder=decoder):
                args = ["Hi there", "--decoder", decoder, "--reward", "length=5", "--top-k", 4,
                        "--horizon", 3, "--max-tokens", 12, "--seed"]
                rows = [without_seconds(self.row(*args, seed)) for seed in (5, 5, 6)]
                self.assertEqual(rows[0], rows[1])
                self.assertNotEqual(rows[0]["response"], rows[2]["response"])

    def test_each_prompt_draws_for_itself(self):
        path = self.write("same.jsonl", '{"id": "a", "prompt": "Hi"}\n'
                                        '{"id": "b", "prompt": "Hi"}\n')
        result = self.generate("--prompts", path, "--json", "--decoder", "sample")
        first, second = self.assert_ok(result).rows()
        self.assertNotEqual(first["response"], second["response"])

    def test_prompts_together_are_as_one_at_a_time(self):
        path = self.write_prompts(8)
        for decoder in ("sample", "tq"):
            args = ["--prompts", path, "--json", "--decoder", decoder, "--max-tokens", 8,
                    "--reward", "words=you good", "--top-k", 3, "--horizon", 4, "--together"]
            alone = self.assert_ok(self.generate(*args, 1)).rows()
            together = self.assert_ok(self.generate(*args, 2, threads=2)).rows()
            self.assertEqual([row["id"] for row in alone], [f"p{i}" for i in range(8)])
            self.assertEqual(len(together), 8)
            self.assertEqual({row["id"]: without_seconds(row) for row in together},
                             {row["id"]: without_seconds(row) for row in alone})


class PublishedFormsTest(TinyTest):
    """--prompts reads data sets as they are published."""

    def prompts_of(self, name, content):
        path = self.write(name, content)
        rows = self.assert_ok(self.generate("--prompts", path, "--json", "--max-tokens", 2)).rows()
        return {row["id"]: row.get("messages", row["prompt"]) for row in rows}

    def test_csv(self):
        self.assertEqual(self.prompts_of("p.csv", 'id,prompt\r\n7,"a, ""b"""\r\n8,c\r\n'),
                         {"7": 'a, "b"', "8": "c"})

    def test_turns_of_a_compressed_file(self):
        rows = [{"question_id": 81, "turns": ["One", "Two"]}, {"question_id": 82, "turns": ["Go"]}]
        content = gzip.compress("\n".join(map(json.dumps, rows)).encode())
        self.assertEqual(self.prompts_of("q.jsonl.gz", content), {"81": "One", "82": "Go"})

    def test_a_row_twice_is_answered_twice(self):
        self.assertEqual(self.prompts_of("r.json", '[{"instruction": "a"}, {"instruction": "a"}]'),
                         {"1": "a", "2": "a"})


if __name__ == "__main__":
    unittest.main()
