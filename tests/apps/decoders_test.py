"""Every decoder runs, and the flags of each reach it."""

import json
import unittest

from tq_command import TinyTest

DECODERS = ("greedy", "sample", "best-of", "args", "cd", "tq", "official")
COMMON = ("--reward", "words=you good the", "--top-k", 3, "--horizon", 4, "--samples", 3,
          "--max-tokens", 8)


class DecodersTest(TinyTest):
    def test_all_run(self):
        for decoder in DECODERS:
            with self.subTest(decoder=decoder):
                row = self.row("Say a good thing", "--decoder", decoder, *COMMON)
                self.assertEqual(row["decoder"], decoder)
                self.assertGreater(row["response_tokens"], 0)
                self.assertLessEqual(row["response_tokens"], 8)
                text = self.assert_ok(self.generate("Say a good thing", "--decoder", decoder,
                                                    *COMMON)).out
                if decoder != "official":  # streams special tokens as well
                    self.assertEqual(text, row["response"] + "\n")

    def test_all_run_with_one_token_and_one_candidate(self):
        for decoder in DECODERS:
            with self.subTest(decoder=decoder):
                row = self.row("Hi", "--decoder", decoder, "--reward", "length=5", "--top-k", 1,
                               "--samples", 1, "--horizon", 0, "--max-tokens", 1)
                self.assertEqual(row["response_tokens"], 1)

    def test_greedy_is_the_default(self):
        self.assertEqual(self.row("Hi")["response"],
                         self.row("Hi", "--decoder", "greedy")["response"])

    def test_one_candidate_is_greedy_decoding(self):
        greedy = self.row("Hi", "--max-tokens", 6)["response"]
        for decoder in ("tq", "cd", "args"):
            self.assertEqual(self.row("Hi", "--max-tokens", 6, "--decoder", decoder, "--top-k", 1,
                                      "--horizon", 2, "--reward", "length=5")["response"], greedy)

    def test_rewards_pull(self):
        args = ("Say a good thing", "--decoder", "tq", "--reward", "regex=you", "--top-k", 10,
                "--horizon", 3, "--max-tokens", 15, "--choose", "greedy", "--rollout-choose",
                "greedy")
        follow, ignore = (self.row(*args, "--alpha", alpha) for alpha in (0.01, 1000))
        self.assertGreater(follow["reward"], ignore["reward"])
        self.assertGreaterEqual(follow["reward"], follow["response"].count("you"))

    def test_official_is_raw_and_never_stops_early(self):
        row = self.row("Hi", "--decoder", "official", "--reward", "words=you", "--top-k", 3,
                       "--horizon", 2, "--max-tokens", 60)
        self.assertEqual((row["finish_reason"], row["response_tokens"]), ("length", 60))
        chat = self.row("Hi", "--decoder", "tq", *COMMON)
        self.assertLess(row["prompt_tokens"], chat["prompt_tokens"])

    def test_evaluations_stay_within_their_bound(self):
        k, horizon = 4, 5
        row = self.row("Say a good thing", "--decoder", "tq", "--reward", "length=9", "--top-k", k,
                       "--horizon", horizon, "--max-tokens", 12)
        spent = row["evaluations"]
        self.assertLessEqual(spent["policy"] / row["response_tokens"], k * (horizon + 1) + 2)
        self.assertEqual((spent["reward"], spent["reference"]), (0, 0))

    def test_proposal(self):
        args = ("Hi", "--decoder", "args", "--reward", "length=5", "--top-k", 3, "--max-tokens", 3,
                "--explain", "--baseline", "system=Be good and kind to them")
        baseline, reference = (self.row(*args, "--proposal", p)["steps"][0]["candidates"]
                               for p in ("baseline", "reference"))
        plain = self.row(*args[:-2])["steps"][0]["candidates"]
        logprobs = [[c["logprob"] for c in step] for step in (baseline, reference, plain)]
        self.assertNotEqual(logprobs[0], logprobs[1])
        self.assertEqual(logprobs[1], logprobs[2])

    def test_a_small_context_is_enough_where_roll_outs_take_turns(self):
        args = ("Hi", "--decoder", "tq", "--reward", "length=5", "--top-k", 8, "--rollouts", 4,
                "--horizon", 20, "--max-tokens", 4)
        roomy = self.row(*args)
        tight = self.row(*args, "--context", 120)
        self.assertEqual(tight["response"], roomy["response"])

    def test_a_small_context_is_enough_where_candidates_take_turns(self):
        args = ("Hi", "--decoder", "tq", "--reward", "length=5", "--top-k", 10, "--horizon", 4,
                "--max-tokens", 12)
        roomy = self.row(*args)
        tight = self.row(*args, "--context", roomy["prompt_tokens"] + 12)
        self.assertEqual(tight["response"], roomy["response"])
        self.assertGreater(tight["evaluations"]["policy"], roomy["evaluations"]["policy"])
        # One token less can't be enough, which is told before anything is printed.
        self.assert_fails(self.generate(*args, "--context", roomy["prompt_tokens"] + 11), 1,
                          "raise --context")

    def test_more_candidates_than_branches(self):
        weights = self.write("h.json", json.dumps({"weights": [0.1 * i for i in range(32)]}))
        head = self.folder / "h.gguf"
        self.assert_ok(self.tq("fit", "--from-json", weights, "--model", self.model, "--out", head))
        for decoder in ("tq", "args", "official"):
            with self.subTest(decoder=decoder):
                row = self.row("Hi", "--decoder", decoder, "--reward", f"head={head}", "--top-k",
                               280, "--horizon", 1, "--max-tokens", 2, "--explain")
                self.assertEqual(len(row["steps"][0]["candidates"]), 280)


if __name__ == "__main__":
    unittest.main()
