"""Setup files: the same keys as the flags; what the command line gives wins."""

import shutil
import unittest

from tq_command import TinyTest, without_seconds


class SetupsTest(TinyTest):
    def setup_row(self, toml, *args):
        path = self.write("my.toml", toml)
        rows = self.assert_ok(self.tq("generate", *args, "--setup", path)).rows()
        self.assertEqual(len(rows), 1)
        return without_seconds(rows[0])

    def flags_row(self, *args, model=None):
        return without_seconds(self.row(*args, model=model))

    def test_every_kind_of_value(self):
        toml = f"""
            model = "{self.model}"
            decoder = "tq"
            reward = "length=5"
            alpha = 0.5
            top-k = 3
            horizon = 2
            max-tokens = 6
            threads = 1
            seed = 9
            choose = "greedy"
            json = true
            explain = true
        """
        flags = ("Hi", "--decoder", "tq", "--reward", "length=5", "--alpha", 0.5, "--top-k", 3,
                 "--horizon", 2, "--max-tokens", 6, "--seed", 9, "--choose", "greedy")
        self.assertEqual(self.setup_row(toml, "Hi"), self.flags_row(*flags, "--explain"))
        self.assertEqual(self.setup_row(toml.replace("explain = true", "explain = false"), "Hi"),
                         self.flags_row(*flags))

    def test_tables(self):
        system = "Be good, and kind; don't say \\\"no\\\" \\\\ never"
        toml = f"""
            decoder = "tq"
            top-k = 3
            horizon = 2
            max-tokens = 6
            threads = 1
            json = true
            baseline = {{name = "{self.model}", system = "Be you, and good"}}
            [model]
            name = "{self.model}"
            system = "{system}"
            [reward]
            words = "you good"
            cap = 3
        """
        plain = system.replace('\\"', '"').replace("\\\\", "\\")
        escaped = plain.replace("\\", "\\\\").replace(",", "\\,")
        row = self.flags_row("Hi", "--decoder", "tq", "--top-k", 3, "--horizon", 2, "--max-tokens",
                             6, "--reward", "words=you good,cap=3", "--baseline",
                             f"{self.model},system=Be you\\, and good",
                             model=f"{self.model},system={escaped}")
        self.assertEqual(self.setup_row(toml, "Hi"), row)

    def test_a_baseline_without_a_name_is_the_same_model(self):
        common = ["Hi", "--decoder", "tq", "--top-k", 3, "--horizon", 2, "--max-tokens", 6,
                  "--reward", "length=5"]
        self.assertEqual(self.flags_row(*common, "--baseline", "system=Be brief"),
                         self.flags_row(*common, "--baseline", f"{self.model},system=Be brief"))

    def test_the_command_line_wins(self):
        toml = f"""
            model = "none.gguf"
            decoder = "tq"
            seed = 3
            max-tokens = 99
            json = true
            threads = 1
        """
        row = self.setup_row(toml, "Hi", "--model", self.model, "--decoder", "sample",
                             "--max-tokens", "4")
        self.assertEqual(row, self.flags_row("Hi", "--decoder", "sample", "--seed", 3,
                                             "--max-tokens", 4))

    def test_alpha_inf_and_whole_numbers(self):
        toml = f"""
            model = "{self.model}"
            decoder = "args"
            reward = "length=5"
            max-tokens = 4
            threads = 1
            json = true
        """
        for value in ("inf", "2", "1e-3"):
            self.assertEqual(self.setup_row(f"alpha = {value}\n" + toml, "Hi"),
                             self.flags_row("Hi", "--decoder", "args", "--reward", "length=5",
                                            "--max-tokens", 4, "--alpha", value))

    def test_files_are_beside_the_setup(self):
        """Wherever the command is run; a list's other parts, and lists in it, stay as they are."""
        away = self.folder / "away" / "files"
        away.mkdir(parents=True)
        shutil.copy(self.model, away / "m, 1.gguf")
        shutil.copy(self.make("lora", "lora.gguf"), away / "lora.gguf")
        self.write("away/good.txt", "a good day\n")
        self.write("away/ask.txt", "{answer} {criterion}")
        row = self.flags_row(
            "Hi", "--decoder", "best-of", "--samples", 2, "--max-tokens", 4, "--baseline",
            f"lora={away / 'lora.gguf'},system=Be kind\\, {{always}}", "--reward",
            f"sum={{judge=Good?,yes=y,no=n,prompt=@{self.folder / 'away/ask.txt'}}} "
            f"{{implicit={{{self.model}}},reference={{lora={away / 'lora.gguf'}}}}} "
            "{words=you good},weights=1 2 3")
        self.write("away/my.toml", """
            model = {name = "files/m, 1.gguf"}
            baseline = {lora = "files/lora.gguf", system = "Be kind, {always}"}
            decoder = "best-of"
            samples = 2
            max-tokens = 4
            threads = 1
            json = true
            [reward]
            sum = [
              {judge = "Good?", yes = "y", no = "n", prompt = "@ask.txt"},
              {implicit = {name = "files/m, 1.gguf"}, reference = {lora = "files/lora.gguf"}},
              "words=you good"]
            weights = "1 2 3"
            """)
        for folder in (self.folder, self.folder / "away"):
            setup = "away/my.toml" if folder == self.folder else "my.toml"
            rows = self.assert_ok(self.tq("generate", "Hi", "--setup", setup, cwd=folder)).rows()
            self.assertEqual(without_seconds(rows[0]), row)
        # Where no such file is beside the setup, the path is one from the working directory.
        self.write("away/other.toml", 'model = "here.gguf"\njson = true\nmax-tokens = 2\n')
        shutil.copy(self.model, self.folder / "here.gguf")
        self.assert_ok(self.tq("generate", "Hi", "--setup", "away/other.toml"))
        self.assert_fails(self.tq("generate", "Hi", "--setup", "other.toml",
                                  cwd=self.folder / "away"), 1, "here.gguf")

    def test_prompts_and_out(self):
        prompts = self.write_prompts(2)
        out = self.folder / "out.jsonl"
        path = self.write("my.toml", f"""
            model = "{self.model}"
            prompts = "{prompts}"
            out = "{out}"
            max-tokens = 3
            threads = 1
        """)
        self.assertEqual(self.assert_ok(self.tq("generate", "--setup", path)).out, "")
        self.assertEqual(len(out.read_text().splitlines()), 2)


if __name__ == "__main__":
    unittest.main()
