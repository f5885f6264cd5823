"""Setup files that can't be used: the message names the file, and the line where there is one."""

import unittest

from tq_command import TinyTest


class BadSetupsTest(TinyTest):
    def refuses(self, content, *words):
        path = self.write("my.toml", content)
        with self.subTest(content=content):
            self.assert_fails(self.tq("generate", "Hi", "--setup", path), 2, *words)

    def test_missing(self):
        self.assert_fails(self.generate("Hi", "--setup", "none.toml"), 2, "none.toml", "path")
        self.assert_fails(self.generate("Hi", "--setup", self.folder), 2, str(self.folder), "path")

    def test_not_toml(self):
        self.refuses("decoder = tq\n", "my.toml", "line 1")
        self.refuses('\n\ndecoder = "tq\n', "my.toml", "line 3")
        self.refuses('decoder = "tq"\ndecoder = "cd"\n', "my.toml", "line 2")
        self.refuses(b'decoder = "\xff"\n', "my.toml", "line 1")

    def test_unknown_key(self):
        self.refuses('decoder = "tq"\ntopk = 3\n', "my.toml", "line 2", "'topk'",
                     "did you mean 'top-k'", "tq generate --help")
        self.refuses("top_k = 3\n", "did you mean 'top-k'")
        self.refuses('setup = "other.toml"\n', "my.toml", "'setup'")

    def test_unknown_key_of_a_table(self):
        self.refuses(f'model = {{name = "{self.model}", sytem = "x"}}\n', "--model", "'sytem'",
                     "did you mean 'system'")
        self.refuses(f'model = "{self.model}"\n[reward]\nlenght = 5\n', "--reward", "'lenght'",
                     "did you mean 'length'")

    def test_values_that_make_no_sense(self):
        self.refuses('max-tokens = "many"\n', "my.toml", "line 1", "max-tokens")
        self.refuses("top-k = -1\n", "my.toml", "line 1", "top-k")
        self.refuses("top-k = 2.5\n", "my.toml", "line 1", "top-k")
        self.refuses('choose = "best"\n', "my.toml", "line 1", "choose", "greedy")
        self.refuses("alpha = [1, 2]\n", "'alpha'", "a number")
        self.refuses("alpha = 1979-05-27\n", "'alpha'", "a number")
        self.refuses("[model]\nname = [1]\n", "'model'")
        self.refuses("alpha = 0\n", "--alpha 0", "as alpha goes to 0")
        self.refuses('decoder = "gredy"\n', "'gredy'", "did you mean 'greedy'")
        self.refuses('json = "often"\n', "my.toml", "line 1", "json")


if __name__ == "__main__":
    unittest.main()
