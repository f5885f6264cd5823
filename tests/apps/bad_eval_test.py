"""Experiments that can't be: one line that names the file, the line, the run; nothing is written."""

import unittest

from tq_command import TinyTest, read_rows

DATA = '[data]\nprompts = "prompts.jsonl"\n'
PLAIN = '[[decoder]]\nname = "plain"\n'


class BadEvalTest(TinyTest):
    def setUp(self):
        super().setUp()
        self.write_prompts(4)

    def setup(self, *parts, name="my.toml"):
        return self.write(name, f'model = "{self.model}"\nmax-tokens = 4\n' + "".join(parts))

    def eval(self, setup, *more, out="r.jsonl"):
        return self.tq("eval", setup, "--out", out, "--threads", 1, *more)

    def refuses(self, code, parts, *words):
        with self.subTest(parts=parts):
            self.assert_fails(self.eval(self.setup(*parts)), code, *words)
            self.assertFalse((self.folder / "r.jsonl").exists())

    def test_unknown_keys(self):
        refuses = self.refuses
        refuses(2, ('descripton = "x"\n', DATA, PLAIN), "my.toml line 3", "'descripton'",
                "did you mean 'description'")
        refuses(2, ("top_k = 3\n", DATA, PLAIN), "my.toml line 3", "did you mean 'top-k'")
        refuses(2, (DATA, "smaple = 2\n", PLAIN), "my.toml line 5", "[data]",
                "did you mean 'sample'")
        refuses(2, ('[data]\nprompt = "prompts.jsonl"\n', PLAIN), "my.toml line 4",
                "did you mean 'prompts'")
        refuses(2, (DATA, PLAIN, "[metrics]\nperplexty = true\n"), "my.toml line 8", "[metrics]",
                "did you mean 'perplexity'")
        refuses(2, (DATA, PLAIN, "[metric]\nperplexity = true\n"), "my.toml line 7",
                "did you mean 'metrics'")
        refuses(2, (DATA, PLAIN, f'[judge]\npolcy = "{self.model}"\n'), "judge", "'polcy'",
                "did you mean 'policy'")
        refuses(2, (DATA, PLAIN, f'[judge]\npolicy = "{self.model}"\nmargn = 1\n'), "judge",
                "did you mean 'margin'")
        refuses(2, (DATA, PLAIN, '[[decoder]]\nname = "b"\ndecodr = "tq"\n'), "my.toml line 9",
                "did you mean 'decoder'")

    def test_values_that_make_no_sense(self):
        refuses = self.refuses
        refuses(2, (DATA, "sample = -1\n", PLAIN), "my.toml line 5", "'sample'", "0 or more")
        refuses(2, (DATA, "sample = 1.5\n", PLAIN), "my.toml line 5", "'sample'")
        refuses(2, (DATA, "sample = 5\n", PLAIN), "prompts.jsonl", "sample of 5 from 4")
        refuses(2, (DATA, 'format = "nectr"\n', PLAIN), "'nectr'", "did you mean 'nectar'")
        refuses(2, (DATA, PLAIN, '[metrics]\nperplexity = "yes"\n'), "my.toml line 8",
                "true or false")
        refuses(2, (DATA, PLAIN, '[metrics]\nrewards = "length=3"\n'), "my.toml line 8", "a table")
        refuses(2, (DATA, PLAIN, '[metrics]\nrewards = {short = "lenght=3"}\n'), "'short'",
                "did you mean 'length'")
        refuses(2, ('judge = "smollm2"\n', DATA, PLAIN), "my.toml line 3", "'judge'", "a table")
        refuses(2, ("name = 3\n", DATA, PLAIN), "my.toml line 3", "'name'")
        refuses(2, (DATA, PLAIN, "top-k = -4\n"), "my.toml line 7", "top-k")

    def test_seeds(self):
        for text in ("3", "[]", "[1, -1]", '[1, "2"]', "[1.5]", '"1"'):
            self.refuses(2, (f"seeds = {text}\n", DATA, PLAIN), "my.toml line 3", "'seeds'",
                         "whole numbers")
        self.refuses(2, ("seeds = [4, 1, 4]\n", DATA, PLAIN), "my.toml line 3", "4 twice")
        self.refuses(2, ("seed = 3\n", DATA, PLAIN), "my.toml line 3", "'seed'", "seeds = [")
        self.refuses(2, (DATA, PLAIN, "seed = 3\n"), "my.toml line 7", "'seed'", "seeds = [")

    def test_names_of_runs(self):
        self.refuses(2, (DATA, PLAIN, PLAIN), "my.toml line 7", "two runs", "'plain'")
        for name in ('"a/b"', '""', "3"):
            self.refuses(2, (DATA, PLAIN, f"[[decoder]]\nname = {name}\n"), "my.toml line 8",
                         "name", "'/'")
        self.refuses(2, (DATA, PLAIN, '[[decoder]]\ndecoder = "tq"\n'), "my.toml line 7", "name")
        # Rows of a run named so would have the ids of failures and judgements.
        for name in ("error", "judge"):
            self.refuses(2, (DATA, f'[[decoder]]\nname = "{name}"\n'), "my.toml line 6", name)
        self.refuses(2, ('against = "plian"\n', DATA, PLAIN), "'plian'", "did you mean 'plain'")

    def test_what_is_missing(self):
        self.refuses(2, (PLAIN,), "my.toml", "[data]", "prompts")
        self.refuses(2, ("[data]\nseed = 1\n", PLAIN), "my.toml", "[data]", "prompts")
        self.refuses(2, (DATA,), "my.toml", "[[decoder]]")
        self.refuses(2, ('decoder = "tq"\n', DATA), "my.toml", "[[decoder]]")
        self.refuses(1, ('[data]\nprompts = "none.jsonl"\n', PLAIN), "none.jsonl", "path")
        self.refuses(1, (DATA, PLAIN, '[metrics]\nembedding = "none.gguf"\n'), "none.gguf")
        self.refuses(1, (DATA, PLAIN, '[judge]\npolicy = "none.gguf"\n'), "none.gguf")
        self.refuses(1, (DATA, PLAIN, f'[judge]\npolicy = "{self.model}"\nprompt = "none.txt"\n'),
                     "none.txt")
        self.assert_fails(self.eval("none.toml"), 2, "none.toml", "path")
        self.assert_fails(self.tq("eval"), 2, "tq eval --help")

    def test_not_toml(self):
        self.refuses(2, (DATA, "[[decoder]\n"), "my.toml line 5")
        self.refuses(2, (DATA, PLAIN, 'alpha = "x\n'), "my.toml line 7")
        self.refuses(2, ("max-tokens = 5\n", DATA, PLAIN), "my.toml line 3", "max-tokens")

    def test_a_run_that_cannot_be_is_named(self):
        def run(*lines):
            return (DATA, PLAIN, '[[decoder]]\nname = "mine"\n', *(f"{line}\n" for line in lines))
        self.refuses(2, run('decoder = "gredy"'), "run 'mine'", "did you mean 'greedy'")
        self.refuses(2, run('decoder = "tq"', 'reward = "lenght=5"'), "run 'mine'",
                     "did you mean 'length'")
        self.refuses(2, run('decoder = "tq"'), "run 'mine'", "reward")
        self.refuses(2, run("alpha = 0", 'decoder = "tq"', 'reward = "length=5"'), "run 'mine'",
                     "alpha")
        self.refuses(1, run('model = "none.gguf"'), "run 'mine'", "none.gguf")
        # A head that was fitted on another model.
        self.refuses(1, run('decoder = "tq"', f'reward = "head=sentiment,model={self.model}"'),
                     "run 'mine'", "sentiment")

    def test_a_run_chooses_between_alpha_and_a_budget(self):
        both = ('decoder = "tq"', 'reward = "length=5"', "kl-budget = 3.0")
        run = '[[decoder]]\nname = "mine"\n' + "".join(f"{line}\n" for line in both)
        self.refuses(2, (DATA, PLAIN, run + "alpha = 0.5\n"), "run 'mine'", "--kl-budget")
        # Of all runs and of one: the nearer one counts, so this fails for its sample alone.
        setup = self.setup("alpha = 0.5\n", DATA, PLAIN, run)
        self.assert_fails(self.eval(setup, "--shard", "5/5"), 2, "only 4")

    def test_out(self):
        setup = self.setup(DATA, PLAIN)
        self.assert_fails(self.tq("eval", setup), 2, "--out FILE.jsonl is missing")
        self.assert_fails(self.eval(setup, out="absent/r.jsonl"), 1, "absent/r.jsonl", "--out")
        self.assert_fails(self.eval(setup, out=self.folder), 1, "regular file")
        self.assert_fails(self.eval(setup, out="/dev/full"), 1, "regular file")

    def test_shards(self):
        setup = self.setup(DATA, PLAIN)
        for shard in ("0/4", "5/4", "x", "1/0", "", "1", "-1/4", "1/4/4"):
            with self.subTest(shard=shard):
                self.assert_fails(self.eval(setup, "--shard", shard), 2, f"'{shard}'", "3/16")
        self.assert_fails(self.eval(setup, "--shard", "5/5"), 2, "shard 5/5", "only 4")
        self.assertFalse((self.folder / "r.jsonl").exists())
        self.assert_ok(self.eval(setup, "--shard", "4/4"))

    def test_a_file_of_something_else_is_left_alone(self):
        setup = self.setup(DATA, PLAIN)
        self.assert_ok(self.eval(setup))
        others = {
            "settings": self.setup("top-k = 3\n", DATA, PLAIN, name="a.toml"),
            "seeds": self.setup("seeds = [1]\n", DATA, PLAIN, name="b.toml"),
            "sample": self.setup(DATA, "sample = 2\n", PLAIN, name="c.toml"),
            "runs": self.setup(DATA, PLAIN, '[[decoder]]\nname = "b"\n', name="d.toml"),
            "metrics": self.setup(DATA, PLAIN, "[metrics]\nperplexity = true\n", name="e.toml"),
            "name": self.setup(DATA, '[[decoder]]\nname = "other"\n', name="f.toml"),
        }
        before = (self.folder / "r.jsonl").read_bytes()
        for what, other in others.items():
            with self.subTest(what=what):
                self.assert_fails(self.eval(other), 1, "r.jsonl", "other settings",
                                  "nothing was changed")
                self.assertEqual((self.folder / "r.jsonl").read_bytes(), before)
        # What no row depends on may change.
        self.assert_ok(self.eval(self.setup('description = "again"\n', DATA, PLAIN)))
        self.assertEqual((self.folder / "r.jsonl").read_bytes(), before)
        self.write_prompts(3)  # other prompts
        self.assert_fails(self.eval(setup), 1, "other settings", "nothing was changed")
        self.assertEqual((self.folder / "r.jsonl").read_bytes(), before)
        # Nor does tq generate take a file of tq eval, or the other way round.
        self.assert_fails(self.generate("--prompts", "prompts.jsonl", "--out", "r.jsonl"), 1,
                          "other settings", "nothing was changed")
        self.assertEqual((self.folder / "r.jsonl").read_bytes(), before)
        self.assert_ok(self.generate("--prompts", "prompts.jsonl", "--out", "g.jsonl",
                                     "--max-tokens", 4))
        for name, content in (("g.jsonl", None), ("t.txt", "some notes\n"), ("u.txt", "no end"),
                              ("j.jsonl", '{"a": 1}\n')):
            path = self.write(name, content) if content else self.folder / name
            kept = path.read_bytes()
            self.assert_fails(self.eval(setup, out=name), 1, name, "nothing was changed")
            self.assertEqual(path.read_bytes(), kept)
        self.assertEqual(len(read_rows(self.folder / "g.jsonl")), 3)


if __name__ == "__main__":
    unittest.main()
