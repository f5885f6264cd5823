"""What depends on a terminal: colour and the progress bar. And what streams: whole characters."""

import os
import pty
import re
import subprocess
import unittest

from tq_command import TQ, TinyTest

COLOUR = re.compile("\033\\[[0-9;]*m")
TQ_ARGS = ("--decoder", "tq", "--reward", "regex=you", "--alpha", "0.01", "--top-k", "10",
           "--horizon", "3", "--max-tokens", "10", "--choose", "greedy")


class TerminalTest(TinyTest):
    def on_terminal(self, *args, terminal, env=None):
        """Standard output and error of a run, one of which ('out' or 'err') is a terminal."""
        ours, theirs = pty.openpty()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                 "stdout" if terminal == "out" else "stderr": theirs}
        command = [TQ, "generate", "--model", self.model, "--threads", 1, *args]
        process = subprocess.Popen(list(map(str, command)), cwd=self.folder, **pipes,
                                   stdin=subprocess.DEVNULL, env=env or self.env(TERM="xterm"))
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(ours)
        rest = b"".join(process.communicate(timeout=300)[i] or b"" for i in (0, 1))
        self.assertEqual(process.returncode, 0, rest)
        shown, rest = shown.decode().replace("\r\n", "\n"), rest.decode()
        return (shown, rest) if terminal == "out" else (rest, shown)

    def test_the_explanation_is_coloured_on_a_terminal_alone(self):
        args = ("Say it", *TQ_ARGS, "--explain")
        plain = self.assert_ok(self.generate(*args)).out
        self.assertNotIn("\033", plain)
        coloured, _ = self.on_terminal(*args, terminal="out")
        self.assertRegex(coloured, COLOUR)
        self.assertEqual(COLOUR.sub("", coloured), plain)

    def test_no_color_is_respected(self):
        args = ("Say it", *TQ_ARGS, "--explain")
        plain = self.assert_ok(self.generate(*args)).out
        env = self.env(TERM="xterm", NO_COLOR="1")
        self.assertEqual(self.on_terminal(*args, terminal="out", env=env)[0], plain)
        env["NO_COLOR"] = ""  # which says nothing, by no-color.org
        self.assertRegex(self.on_terminal(*args, terminal="out", env=env)[0], COLOUR)

    def test_text_and_rows_read_the_same_on_a_terminal(self):
        plain = self.assert_ok(self.generate("Say it", *TQ_ARGS)).out
        shown, _ = self.on_terminal("Say it", *TQ_ARGS, terminal="out")
        self.assertEqual(COLOUR.sub("", shown), plain)
        self.assertNotIn("\033", self.on_terminal("Say it", *TQ_ARGS, "--json", terminal="out")[0])

    def test_the_explanation_shows_candidates_and_the_models_own_choice(self):
        text = self.assert_ok(self.generate("Say it", *TQ_ARGS, "--explain")).out
        row = self.row("Say it", *TQ_ARGS, "--explain")
        self.assertTrue(text.endswith("\n" + row["response"] + "\n"))
        self.assertEqual(len(re.findall(r"^     > ", text, re.M)), row["response_tokens"])
        self.assertEqual(len(re.findall(r"^     [> ] \"", text, re.M)),
                         sum(len(step["candidates"]) for step in row["steps"]))
        own = [max(step["candidates"], key=lambda c: c["logprob"])["token"] == step["chosen"]
               for step in row["steps"]]
        self.assertEqual(text.count("instead of"), own.count(False))
        self.assertGreater(own.count(False), 0)

    def test_the_progress_bar_is_for_a_terminal_alone(self):
        prompts = self.write_prompts(3)
        args = ("--prompts", prompts, "--json", "--max-tokens", 4)
        self.assertEqual(self.assert_ok(self.generate(*args)).err, "")
        out, err = self.on_terminal(*args, terminal="err")
        self.assertEqual(len(out.splitlines()), 3)
        for count in ("0/3", "1/3", "2/3", "3/3"):
            self.assertIn(count, err)
        self.assertIn("[" + "#" * 30 + "] 3/3", err)

    def test_rows_do_not_end_up_behind_the_bar(self):
        ours, theirs = pty.openpty()
        command = [TQ, "generate", "--model", self.model, "--threads", 1, "--max-tokens", 4,
                   "--json", "--prompts", self.write_prompts(3)]
        process = subprocess.Popen(list(map(str, command)), cwd=self.folder, stdout=theirs,
                                   stderr=theirs, stdin=subprocess.DEVNULL, env=self.env())
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass
        os.close(ours)
        self.assertEqual(process.wait(timeout=300), 0)
        text = shown.decode()
        self.assertEqual(text.count('{"id"'), 3)
        self.assertEqual(len(re.findall(r"\r\033\[K\{\"id\"", text)), 3)

    def test_the_progress_bar_counts_rows_that_were_there(self):
        args = ("--out", self.folder / "out.jsonl", "--max-tokens", 4, "--prompts")
        self.assert_ok(self.generate(*args, self.write_prompts(2)))
        _, err = self.on_terminal(*args, self.write_prompts(3), terminal="err")
        self.assertIn("2/3", err)
        self.assertIn("3/3", err)
        self.assertNotIn("1/3", err)


class StreamTest(TinyTest):
    def test_results_alone_are_on_standard_output(self):
        result = self.assert_ok(self.generate("Hi", "--reward", "length=5"))
        self.assertEqual(result.out, self.row("Hi")["response"] + "\n")
        for word in ("reward", "KL", "tokens"):
            self.assertIn(word, result.err)
        prompts = self.write_prompts(2)
        result = self.assert_ok(self.generate("--prompts", prompts, "--max-tokens", 4))
        rows = self.generate("--prompts", prompts, "--max-tokens", 4, "--json").rows()
        self.assertEqual(result.out,
                         "".join(f"== {row['id']}\n{row['response']}\n\n" for row in rows))

    def stream(self, *args):
        """What each read from standard output gave."""
        command = [TQ, "generate", "--threads", 1, *args]
        process = subprocess.Popen(list(map(str, command)), env=self.env(),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        pieces = []
        while piece := os.read(process.stdout.fileno(), 65536):
            pieces.append(piece)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=300), 0)
        return pieces

    def test_only_whole_characters_are_written(self):
        # A model whose tokens are close to random bytes, now and then parts of one character.
        noise = self.make("model", "noise.gguf", "--temperature", 50, "--context", 4096)
        reads, joined = 0, set()
        for seed in range(8):
            args = ("Hi", "--model", noise, "--decoder", "sample", "--max-tokens", 500, "--format",
                    "raw", "--seed", seed)
            pieces = self.stream(*args)
            text = "".join(piece.decode() for piece in pieces)  # each is whole
            response = self.assert_ok(self.tq("generate", "--threads", 1, "--json", *args)).rows()
            self.assertEqual(text, response[0]["response"] + "\n")
            reads += len(pieces)
            joined |= {c for c in text if ord(c) > 127} - {"\ufffd", "\u00e9"}  # which is one token
        self.assertGreater(reads, 8)
        self.assertTrue(joined, "no character was made of several tokens")

    def test_a_reader_that_went_away(self):
        command = [TQ, "generate", "Hi", "--model", self.model, "--threads", 1, "--json"]
        process = subprocess.Popen(list(map(str, command)), env=self.env(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        err = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=300), 1)
        self.assertRegex(err, r"\Atq: can't write to standard output[^\n]*\n\Z")


if __name__ == "__main__":
    unittest.main()
