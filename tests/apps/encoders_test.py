"""Encoders as rewards: rank= and similar=, and what is said of files that don't fit."""

import unittest

from tq_command import TinyTest


class EncodersTest(TinyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.embedder = cls.make("encoder", "embedder.gguf")
        cls.ranker = cls.make("encoder", "ranker.gguf", "--rank")
        cls.labelled = cls.make("encoder", "labelled.gguf", "--rank", "--label", "no", "--label",
                                "yes")

    def decode(self, decoder, reward):
        return self.row("Say a good day", "--decoder", decoder, "--samples", 4, "--top-k", 3,
                        "--horizon", 4, "--max-tokens", 6, "--reward", reward)

    def test_every_decoder_takes_them(self):
        for reward in (f"rank={self.ranker}", f"rank={self.labelled},label=yes",
                       f"similar=the rainy day,model={self.embedder}"):
            for decoder in ("greedy", "best-of", "args", "tq"):
                with self.subTest(reward=reward, decoder=decoder):
                    row = self.decode(decoder, reward)
                    self.assertIsInstance(row["reward"], float)
                    self.assertGreater(row["evaluations"]["reward"], 0)

    def refuses(self, reward, *words, code=1, **options):
        result = self.generate("Hi", "--decoder", "best-of", "--reward", reward, **options)
        self.assert_fails(result, code, *words)

    def test_files_that_do_not_fit(self):
        self.refuses(f"rank={self.embedder}", "embedder.gguf", "no rank head", "similar=")
        self.refuses(f"rank={self.model}", "tiny.gguf", "no pooling")
        self.refuses(f"similar=x,model={self.ranker}", "ranker.gguf", "rank=FILE")
        self.refuses(f"rank={self.labelled}", "2 labels", "label=NAME", "0 (no), 1 (yes)", code=2)
        self.refuses("similar=x", "minilm", "scripts/models/get minilm")
        self.refuses("similar=@none.txt", "none.txt")

    def test_an_encoder_writes_nothing(self):
        result = self.generate("Hi", model=self.embedder)
        self.assert_fails(result, 1, "embedder.gguf", "decoder-only")


if __name__ == "__main__":
    unittest.main()
