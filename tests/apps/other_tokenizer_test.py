"""A policy and a reward's base of different families, from the command."""

import json
import unittest

from tq_command import CommandTest

WIDTH = {"smollm2": 576, "gemma3-270m": 640}


class OtherTokenizerTest(CommandTest):
    real = True

    def test_transfer_with_a_head_on_another_family(self):
        for policy, base in (("smollm2", "gemma3-270m"), ("gemma3-270m", "smollm2")):
            with self.subTest(policy=policy, base=base):
                weights = [((i * 37) % 11 - 5) / 500 for i in range(WIDTH[base])]
                head = self.folder / f"{base}.gguf"
                self.assert_ok(self.tq("fit", "--from-json", self.write("head.json", json.dumps(
                    {"weights": weights, "bias": 0.5})), "--model", base, "--out", head))
                reward = f"head={head},model={base}"
                row, = self.assert_ok(self.tq(
                    "generate", "Write about the sea.", "--model", policy, "--decoder", "tq",
                    "--reward", reward, "--top-k", 3, "--horizon", 5, "--max-tokens", 6,
                    "--alpha", 0.5, "--threads", 1, "--json")).rows()
                self.assertGreater(row["evaluations"]["reward"], 0)
                for leak in ("<|im_", "<end_of_turn>", "<start_of_turn>", "<eos>", "<bos>"):
                    self.assertNotIn(leak, row["response"])
                scored, = self.assert_ok(self.tq(
                    "score", "-", "--model", policy, "--reward", reward, "--threads", 1,
                    stdin=json.dumps({"prompt": "Write about the sea.",
                                      "response": row["response"]}))).rows()
                # Weights of few bits round otherwise in another batch.
                self.assertAlmostEqual(scored["reward"], row["reward"], delta=0.5)


if __name__ == "__main__":
    unittest.main()
