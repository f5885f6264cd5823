"""Flags that make no sense: exit 2, one line that says what to do, nothing on standard output."""

import unittest

from tq_command import TinyTest


class NumbersTest(TinyTest):
    def refuses(self, flag, value, *words, decoder="tq"):
        with self.subTest(flag=flag, value=value):
            result = self.generate("Hi", "--decoder", decoder, "--reward", "length=5", flag, value)
            self.assert_fails(result, 2, *words)

    def test_alpha_must_be_above_0_and_the_message_says_what_0_means(self):
        for alpha in ("0", "-0", "-1", "-inf", "nan", "0.0"):
            self.refuses("--alpha", alpha, "--alpha", "above 0", "as alpha goes to 0",
                         "highest value", "--choose greedy")

    def test_alpha_must_be_a_number(self):
        for alpha in ("abc", "1x", ""):
            self.refuses("--alpha", alpha, "--alpha")

    def test_alpha_inf_and_tiny_alphas_are_fine(self):
        for alpha in ("inf", "1e-300", "1e300"):
            row = self.row("Hi", "--decoder", "tq", "--reward", "length=5", "--alpha", alpha,
                           "--top-k", 2, "--horizon", 1, "--max-tokens", 2)
            self.assertEqual(row["decoder"], "tq")

    def test_top_k(self):
        for decoder in ("tq", "args", "cd", "official"):
            self.refuses("--top-k", "0", "--top-k 0", "1 or more", decoder=decoder)
            self.refuses("--top-k", "100000", "--top-k 100000", "beyond the vocabulary of ",
                         "smaller", decoder=decoder)

    def test_top_k_up_to_the_whole_vocabulary(self):
        result = self.generate("Hi", "--decoder", "tq", "--reward", "length=5", "--top-k", 99999)
        vocabulary = int(result.err.split("vocabulary of ")[1].split()[0])
        self.refuses("--top-k", str(vocabulary + 1), "beyond")
        row = self.row("Hi", "--decoder", "args", "--reward", "length=5", "--top-k", vocabulary,
                       "--max-tokens", 1, "--explain")
        self.assertEqual(len(row["steps"][0]["candidates"]), vocabulary)

    def test_counts_of_0(self):
        self.refuses("--samples", "0", "--samples 0", "1 or more", decoder="best-of")
        self.refuses("--rollouts", "0", "--rollouts 0", "1 or more")
        self.refuses("--max-tokens", "0", "--max-tokens 0", "1 or more")

    def test_those_of_decoders_that_draw(self):
        for flag in ("--chunk", "--beams", "--tries"):
            self.refuses(flag, "0", f"{flag} 0", "1 or more", decoder="cbs")
        self.refuses("--samples", "6", "--samples 6", "--beams 4", "evenly", decoder="cbs")
        for rate in ("1", "-0.5", "nan", "x"):
            self.refuses("--rejection-rate", rate, "--rejection-rate",
                         decoder="speculative-rejection")
        for start in ("-0.5", "2", "nan"):
            self.refuses("--target-start", start, "--target-start", "between 0")
        self.refuses("--segment-entropy", "-1", "--segment-entropy", "inf")
        for target in ("nan", "inf", "x"):
            self.refuses("--target-reward", target, "--target-reward", decoder="cards")
        self.assert_fails(self.generate("Hi", "--decoder", "cards", "--reward", "length=5"), 2,
                          "cards", "--target-reward")
        self.assert_fails(self.generate("Hi", "--decoder", "genarm"), 2, "genarm", "--baseline")

    def test_counts_that_are_no_counts(self):
        for flag in ("--top-k", "--horizon", "--rollouts", "--samples", "--chunk", "--beams",
                     "--tries", "--max-tokens", "--seed", "--context", "--together", "--threads",
                     "--block", "--commit"):
            for value in ("x", "1.5", "99999999999999999999999"):
                self.refuses(flag, value, flag)
        for flag in ("--top-k", "--horizon", "--rollouts", "--samples", "--max-tokens", "--seed",
                     "--context", "--together"):
            self.refuses(flag, "-1", flag)

    def test_blocks_and_commits(self):
        for flag in ("--block", "--commit"):
            self.refuses(flag, "0", f"{flag} 0", "1 or more")
            for value in ("-1", "x", "1.5"):
                self.refuses(flag, value, flag)
            for decoder in ("greedy", "sample", "best-of", "official"):
                self.refuses(flag, "2", f"{flag} 2", "tq, cd", f"{decoder} does not",
                             decoder=decoder)
        self.refuses("--commit", "2", "--commit 2", "args has none", decoder="args")
        for extra, words in ((("--commit", 2, "--horizon", 0), ("--horizon 0 has none", "above 0")),
                             (("--block", 2, "--min-p", 0.1), ("--min-p 0.1", "--block 2")),
                             (("--block", 2, "--proposal", "reference"),
                              ("--block 2", "--proposal reference", "cd"))):
            self.assert_fails(self.generate("Hi", "--decoder", "tq", "--reward", "length=5", *extra),
                              2, *words)

    def test_min_p(self):
        for value in ("-0.1", "1.1", "nan", "inf"):
            self.refuses("--min-p", value, "--min-p", "from 0", "to 1")
        self.refuses("--min-p", "x", "--min-p")
        for decoder in ("greedy", "best-of", "official"):
            self.refuses("--min-p", "0.1", "--min-p 0.1", f"{decoder} does not", decoder=decoder)

    def test_halve(self):
        for value in ("-1", "x", "1.5"):
            self.refuses("--halve", value, "--halve")
        for decoder in ("greedy", "best-of", "official"):
            self.refuses("--halve", "2", "--halve 2", f"{decoder} does not", decoder=decoder)
        self.refuses("--halve", "2", "--halve 2", "args has none", decoder="args")

    def test_kl_budget(self):
        for value in ("-1", "nan", "inf"):
            self.refuses("--kl-budget", value, "--kl-budget", "0 or more")
        self.refuses("--kl-budget", "x", "--kl-budget")
        for decoder in ("greedy", "best-of", "official"):
            self.refuses("--kl-budget", "1", "--kl-budget", f"{decoder} does not", decoder=decoder)
        for extra, words in ((("--alpha", 2), ("--alpha", "chooses alpha")),
                             (("--choose", "greedy"), ("--choose greedy", "leave one out"))):
            self.assert_fails(self.generate("Hi", "--decoder", "tq", "--reward", "length=5",
                                            "--kl-budget", 3, *extra), 2, *words)

    def test_more_threads_than_cores_are_not_used(self):
        # They would wait for each other: this would take minutes.
        self.assertEqual(self.row("Hi", "--max-tokens", 3, threads=500)["response_tokens"], 3)

    def test_a_flag_without_its_value_or_given_twice(self):
        self.assert_fails(self.generate("Hi", "--alpha"), 2, "--alpha")
        self.assert_fails(self.generate("Hi", "--alpha", 1, "--alpha", 2), 2, "--alpha")


class TransferTest(TinyTest):
    def refuses(self, *args, words, decoder="tq"):
        with self.subTest(args=args, decoder=decoder):
            self.assert_fails(self.generate("Hi", "--decoder", decoder, "--reward", "length=5",
                                            *args), 2, *words)

    def test_decoders_without_transfer(self):
        for decoder in ("greedy", "sample", "best-of", "args", "cd"):
            self.refuses("--transfer", "indirect", decoder=decoder,
                         words=(f"the decoder {decoder} has no indirect transfer", "tq"))
        self.refuses("--transfer", "soft", decoder="official", words=("no soft transfer",))
        self.refuses("--transfer", "soft", "--proposal", "reference",
                     words=("--transfer soft", "--proposal reference"))

    def test_numbers(self):
        for beta in ("0", "-1", "inf", "nan"):
            self.refuses("--transfer", "indirect", "--beta", beta, words=("--beta", "above 0"))
        for power in ("0", "1.1", "nan"):
            self.refuses("--transfer", "soft", "--weight-power", power, words=("--weight-power",))
        for clip in ("0.5", "-1", "nan"):
            self.refuses("--transfer", "indirect", "--weight-clip", clip, words=("--weight-clip",))

    def test_baseline_rewards(self):
        self.refuses("--baseline-reward", "length=3",
                     words=("--baseline-reward", "direct", "--transfer indirect"))
        self.refuses("--transfer", "indirect", "--baseline-reward", "lenght=3",
                     words=("--baseline-reward", "did you mean 'length'"))
        self.refuses("--transfer", "indirect", "--baseline-reward", "length=0",
                     words=("--baseline-reward", "above 0"))
        for reward in ((), ("--baseline-reward", "implicit")):
            self.refuses("--transfer", "indirect", *reward, decoder="official",
                         words=("official", "--baseline-reward LIST"))
        self.refuses("--transfer", "indirect", "--baseline-reward", "implicit={system=Be good}",
                     decoder="official", words=("official", "one text", "implicit"))


class NamesTest(TinyTest):
    def test_unknown_decoder(self):
        self.assert_fails(self.generate("Hi", "--decoder", "gredy"), 2, "'gredy'",
                          "did you mean 'greedy'", "best-of", "official")
        self.assert_fails(self.generate("Hi", "--decoder", "bestof"), 2, "did you mean 'best-of'")
        self.assert_fails(self.generate("Hi", "--decoder", ""), 2, "there are args, best-of")

    def test_what_is_quoted_keeps_to_its_line(self):
        self.assert_fails(self.generate("Hi", "--decoder", "a\nb"), 2, "'a b'")
        self.assert_fails(self.generate("Hi", model="no\nsuch.gguf"), 1, "no such.gguf")
        self.assert_fails(self.generate("Hi", "--no\nflag"), 2, "--no")

    def test_unknown_flag(self):
        for wrong, right in (("--decodr", "--decoder"), ("--topk", "--top-k"),
                             ("--max-token=5", "--max-tokens"), ("--promt", "--prompt")):
            self.assert_fails(self.generate("Hi", wrong), 2, f"'{wrong.split('=')[0]}'",
                              f"did you mean '{right}", "tq generate --help")
        self.assert_fails(self.tq("models", "--jsn"), 2, "did you mean '--json'", "tq models")
        self.assert_fails(self.tq("--versio"), 2, "did you mean '--version'", "tq --help")

    def test_unknown_subcommand(self):
        for wrong, right in (("generat", "generate"), ("model", "models"), ("fits", "fit")):
            self.assert_fails(self.tq(wrong), 2, f"'{wrong}'", f"did you mean '{right}'",
                              "tq --help")

    def test_a_second_prompt(self):
        for words in (("Say", "hello"), ("Describe", "a", "rainy", "day")):
            self.assert_fails(self.generate(*words), 2, f"'{words[1]}'", "belongs in quotes",
                              "tq generate --help")
        self.assertNotIn("quotes", self.generate("Say", "--hello").err)

    def test_unknown_value_of_a_choice(self):
        for flag, allowed in (("--proposal", ("baseline", "reference")),
                              ("--choose", ("sample", "greedy", "gumbel")),
                              ("--rollout-choose", ("sample", "greedy")),
                              ("--format", ("chat", "raw")), ("--cache", ("f16", "f32")),
                              ("--transfer", ("direct", "indirect", "soft"))):
            with self.subTest(flag=flag):
                self.assert_fails(self.generate("Hi", flag, "bogus"), 2, flag, "'bogus'", *allowed)
                for value in ("0", "1", ""):  # no names, though they stand for some inside
                    self.assert_fails(self.generate("Hi", flag, value), 2, flag, f"'{value}'",
                                      *allowed)
                near = allowed[0][:-1] + "_"
                self.assert_fails(self.generate("Hi", flag, near), 2, flag,
                                  f"did you mean '{allowed[0]}'?", *allowed)
        self.assert_fails(self.generate("Hi", "--proposal", "basline"), 2,
                          "--proposal: 'basline' is not one of baseline, reference (did you mean "
                          "'baseline'?)")

    def test_unknown_keys(self):
        reward = self.generate("Hi", "--decoder", "tq", "--reward", "length=5,modle=x")
        self.assert_fails(reward, 2, "--reward", "'modle'", "did you mean 'model'")
        for flag in ("--model", "--baseline"):
            result = self.tq("generate", "Hi", "--model", self.model, flag,
                             f"{self.model},sytem=Be kind")
            if flag == "--baseline":
                self.assert_fails(result, 2, flag, "'sytem'", "did you mean 'system'", "lora")
        result = self.generate("Hi", model=f"{self.model},sytem=Be kind")
        self.assert_fails(result, 2, "--model", "'sytem'", "did you mean 'system'", "lora")

    def test_key_of_another_kind_of_reward(self):
        result = self.generate("Hi", "--decoder", "tq", "--reward", "length=5,cap=3")
        self.assert_fails(result, 2, "length", "'cap'")

    def test_malformed_lists(self):
        for model in (f"{self.model},", f"{self.model},other", ",system=x", "",
                      f"{self.model},lora-scale=x", f"{self.model},system=a,system=b"):
            with self.subTest(model=model):
                self.assert_fails(self.tq("generate", "Hi", "--model", model), 2, "--model"
                                  if "scale" not in model else "lora-scale")

    def test_unknown_reward(self):
        for reward in ("sentiment", "model=x"):
            self.assert_fails(self.generate("Hi", "--decoder", "tq", "--reward", reward), 2,
                              "--reward", reward, "head=", "length=", "regex=", "words=")

    def test_rewards_that_say_nothing(self):
        for reward, word in (("length=0", "above 0"), ("length=-3", "length=-3"),
                             ("length=2.5", "length=2.5"), ("length=x", "length=x"),
                             ("words=", "words="), ("regex=(", "malformed")):
            with self.subTest(reward=reward):
                self.assert_fails(self.generate("Hi", "--decoder", "tq", "--reward", reward), 2,
                                  word)

    def test_decoders_that_need_a_reward(self):
        for decoder in ("tq", "cd", "args", "best-of", "official", "soft-best-of", "cbs",
                        "speculative-rejection"):
            with self.subTest(decoder=decoder):
                result = self.generate("Hi", "--decoder", decoder)
                self.assert_fails(result, 2, "reward", "--reward")

    def test_fit_without_what_it_needs(self):
        self.assert_fails(self.tq("fit"), 2, "--from-json")
        self.assert_fails(self.tq("fit", "--from-json", "h.json"), 2, "--out")
        self.assert_fails(self.tq("models", "--make", "bogus"), 2, "'bogus'", "tq models")


if __name__ == "__main__":
    unittest.main()
