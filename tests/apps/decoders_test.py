"""Every decoder runs, and the flags of each reach it."""

import json
import math
import unittest

from tq_command import TinyTest

DECODERS = ("greedy", "sample", "best-of", "soft-best-of", "speculative-rejection", "cbs", "cards",
            "genarm", "args", "cd", "tq", "official")
COMMON = ("--reward", "words=you good the", "--top-k", 3, "--horizon", 4, "--samples", 4,
          "--beams", 2, "--chunk", 3, "--target-reward", 2, "--segment-entropy", 2, "--tries", 3,
          "--baseline", "system=Be good", "--max-tokens", 8)
DRAWING = ("best-of", "soft-best-of", "speculative-rejection", "cbs", "cards")


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
                               "--samples", 1, "--horizon", 0, "--max-tokens", 1, "--beams", 1,
                               "--target-reward", 9, "--baseline", "system=Be good")
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

    def test_limits_of_the_decoders_that_draw(self):
        args = ("Say a good thing", "--reward", "words=you good the a", "--samples", 4,
                "--max-tokens", 10)
        best = self.row(*args, "--decoder", "best-of")
        for decoder, flags in (("soft-best-of", ("--alpha", "1e-9")),
                               ("speculative-rejection", ("--rejection-rate", 0, "--chunk", 3)),
                               ("cbs", ("--beams", 2, "--chunk", 10))):
            with self.subTest(decoder=decoder):
                row = self.row(*args, "--decoder", decoder, *flags)
                self.assertEqual((row["response"], row["reward"]),
                                 (best["response"], best["reward"]))
        sampled = self.row(*args, "--decoder", "sample")["response"]
        for flags in (("--tries", 1, "--segment-entropy", "inf"),
                      ("--alpha", "inf", "--segment-entropy", "inf")):
            self.assertEqual(self.row(*args, "--decoder", "cards", "--target-reward", 3,
                                      *flags)["response"], sampled)

    def test_what_their_kl_is(self):
        args = ("Hi", "--reward", "length=5", "--samples", 4, "--beams", 2, "--target-reward", 0,
                "--max-tokens", 6)
        for decoder, kind in zip(DRAWING, ("bound", "estimate", "bound", "bound", "estimate")):
            self.assertEqual(self.row(*args, "--decoder", decoder)["kl_kind"], kind, decoder)
        row = self.row(*args, "--decoder", "genarm", "--baseline", "system=Be good")
        self.assertEqual(row["kl_kind"], "exact")
        self.assertGreater(row["kl_to_reference"], 0)

    def test_a_small_context_is_enough_for_those_that_draw(self):
        for decoder in DRAWING:
            with self.subTest(decoder=decoder):
                args = ("Say a good thing", "--decoder", decoder, "--reward", "words=you good",
                        "--samples", 8, "--beams", 4, "--chunk", 4, "--target-reward", 3,
                        "--segment-entropy", 2, "--tries", 4, "--max-tokens", 12)
                roomy = self.row(*args)
                tight = self.row(*args, "--context", roomy["prompt_tokens"] + 30)
                self.assertEqual(tight["response"], roomy["response"])
                self.assertGreaterEqual(tight["evaluations"]["policy"],
                                        roomy["evaluations"]["policy"])

    def test_cards_reaches_a_target_that_it_can(self):
        args = ("Say a good thing", "--decoder", "cards", "--reward", "regex=[aeiou]", "--alpha",
                "0.01", "--target-start", 1, "--max-tokens", 12)
        low, high = (self.row(*args, "--target-reward", target) for target in (0, 12))
        self.assertGreater(high["reward"], low["reward"])
        self.assertGreater(high["evaluations"]["policy"], low["evaluations"]["policy"])

    def test_genarm_follows_the_baseline_as_alpha_says(self):
        args = ("Hi", "--decoder", "genarm", "--baseline", "system=Be good and kind to them",
                "--top-k", 5, "--max-tokens", 4, "--explain")
        for alpha in (0.5, 1, 1000):
            for step in self.row(*args, "--alpha", alpha)["steps"]:
                # p = reference * exp(value / alpha) / Z: log Z is the same for all candidates.
                logs = [math.log(c["probability"]) - c["logprob"] - c["value"] / alpha
                        for c in step["candidates"]]
                self.assertLess(max(logs) - min(logs), 1e-9)
                self.assertGreater(max(abs(c["value"]) for c in step["candidates"]), 0)

    def test_their_flags_are_part_of_the_settings_and_may_stand_in_a_setup_file(self):
        args = ("Hi", "--decoder", "cards", "--reward", "length=5", "--max-tokens", 2)
        plain = self.row(*args, "--target-reward", 1)["settings"]
        for flag, value in (("chunk", 3), ("beams", 2), ("rejection-rate", 0.25), ("tries", 2),
                            ("target-start", 0.25), ("segment-entropy", 1.5), ("samples", 3),
                            ("target-reward", 0.5)):
            given = {"target-reward": 1, flag: value}
            flags = [word for key in given for word in (f"--{key}", given[key])]
            changed = self.row(*args, *flags)["settings"]
            self.assertNotEqual(changed, plain, flag)
            setup = self.write("s.toml", "".join(f"{key} = {given[key]}\n" for key in given))
            self.assertEqual(self.row(*args, "--setup", setup)["settings"], changed, flag)

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
