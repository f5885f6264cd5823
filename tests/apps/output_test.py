"""--out and standard output: files that are not ours stay as they are, failures are told."""

import fcntl
import json
import resource
import unittest

from tq_command import TinyTest, read_rows, without_seconds

SAMPLE = ("--decoder", "sample", "--max-tokens", 8)


class OutTest(TinyTest):
    def setUp(self):
        super().setUp()
        self.prompts = self.write_prompts(3)
        self.out = self.folder / "out.jsonl"

    def to(self, out, *args, **options):
        return self.generate("--prompts", self.prompts, "--out", out, *SAMPLE, *args, **options)

    def test_rows_are_as_on_standard_output(self):
        self.assertEqual(self.assert_ok(self.to(self.out)).out, "")
        printed = self.assert_ok(self.generate("--prompts", self.prompts, "--json", *SAMPLE)).rows()
        self.assertEqual([without_seconds(row) for row in read_rows(self.out)],
                         [without_seconds(row) for row in printed])

    def test_one_prompt_too(self):
        self.assert_ok(self.generate("Hi", "--out", self.out, *SAMPLE, "--explain"))
        self.assertEqual([len(row["steps"]) for row in read_rows(self.out)],
                         [row["response_tokens"] for row in read_rows(self.out)])

    def test_unwritable(self):
        self.assert_fails(self.to(self.folder / "no" / "out.jsonl"), 1, "no/out.jsonl",
                          "another --out")
        self.assert_fails(self.to(self.folder), 1, str(self.folder), "not a regular file")
        self.assert_fails(self.to("/dev/null"), 1, "/dev/null", "not a regular file")

    def test_foreign_files_stay_byte_identical(self):
        row = {"id": "p0", "prompt": "Hi"}
        for content in ("Dear diary,\n", "Dear diary", "{}\n", '{"id": "p0"', "\n", "[]\n",
                        json.dumps(row) + "\n", json.dumps(row),
                        json.dumps(row, separators=(",", ":")), b"\x00\xff\xfe\n", b"GGUF\x03",
                        '{"id":"x","text":"my only precious data',
                        '{"id":"p0","text":"my only precious data'):
            with self.subTest(content=content):
                out = self.write("diary", content)
                before = out.read_bytes()
                self.assert_fails(self.to(out), 1, "diary", "nothing was changed", "another --out")
                self.assertEqual(out.read_bytes(), before)

    def test_the_prompt_file_as_out(self):
        before = self.prompts.read_bytes()
        self.assert_fails(self.to(self.prompts), 1, "prompts.jsonl", "nothing was changed")
        self.assertEqual(self.prompts.read_bytes(), before)

    def test_a_foreign_line_among_our_rows(self):
        self.assert_ok(self.to(self.out))
        content = self.out.read_text() + "note to self\n"
        self.out.write_text(content)
        self.assert_fails(self.to(self.out), 1, "line 4", "nothing was changed")
        self.assertEqual(self.out.read_text(), content)

    def test_other_settings(self):
        self.assert_ok(self.to(self.out))
        before = self.out.read_bytes()
        lora = self.make("lora", "lora.gguf")
        reward = ("--reward", "length=5")
        for args in (("--seed", 1), reward, ("--cache", "f32"), ("--format", "raw"),
                     ("--model", f"{self.model},system=x"),
                     ("--model", f"{self.model},lora={lora}"),
                     ("--baseline", "system=x"), ("--context", 200), ("--explain",)):
            with self.subTest(args=args):
                model = args[1] if args[0] == "--model" else None
                result = self.to(self.out, *(() if model else args), model=model)
                self.assert_fails(result, 1, "other settings", "nothing was changed",
                                  "another --out")
        self.assertEqual(self.out.read_bytes(), before)

    def test_settings_that_change_no_result(self):
        self.assert_ok(self.to(self.out))
        before = self.out.read_bytes()
        copy = self.write("copy.gguf", self.model.read_bytes())
        self.assert_ok(self.to(self.out, "--together", 1, model=copy, threads=2))
        self.assertEqual(self.out.read_bytes(), before)

    def test_another_prompt_under_an_id_that_is_done(self):
        self.assert_ok(self.generate("First prompt", "--out", self.out, *SAMPLE))
        before = self.out.read_bytes()
        self.assert_fails(self.generate("Other prompt", "--out", self.out, *SAMPLE), 1, "'0'",
                          "another prompt", "nothing was changed", "another --out")
        self.assertEqual(self.out.read_bytes(), before)
        self.assert_ok(self.generate("First prompt", "--out", self.out, *SAMPLE))

    def test_a_prompt_file_that_was_edited(self):
        self.assert_ok(self.to(self.out))
        before = self.out.read_bytes()
        self.prompts.write_text(self.prompts.read_text().replace("Say 1 words", "Say one word"))
        self.assert_fails(self.to(self.out), 1, "'p1'", "another prompt", "nothing was changed")
        self.assertEqual(self.out.read_bytes(), before)

    def test_rows_with_steps_and_without(self):
        self.assert_ok(self.to(self.out, "--explain"))
        before = self.out.read_bytes()
        self.assert_fails(self.to(self.out), 1, "other settings", "nothing was changed")
        self.assert_ok(self.to(self.out, "--explain"))
        self.assertEqual(self.out.read_bytes(), before)

    def test_locked_by_another_run(self):
        self.assert_ok(self.to(self.out))
        before = self.out.read_bytes()
        with self.out.open("ab") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            self.assert_fails(self.to(self.out), 1, "another run", "wait", "another --out")
        self.assertEqual(self.out.read_bytes(), before)
        self.assert_ok(self.to(self.out))

    def test_more_prompts_later(self):
        self.assert_ok(self.to(self.out))
        first = self.out.read_bytes()
        self.prompts = self.write_prompts(5)
        self.assert_ok(self.to(self.out))
        self.assertTrue(self.out.read_bytes().startswith(first))
        self.assertEqual([row["id"] for row in read_rows(self.out)],
                         [f"p{i}" for i in range(5)])


class FullDiskTest(TinyTest):
    def test_a_disk_that_fills(self):
        prompts = self.write_prompts(6)
        args = ("--prompts", prompts, *SAMPLE, "--out")
        whole, out = self.folder / "whole.jsonl", self.folder / "out.jsonl"
        self.assert_ok(self.generate(*args, whole))
        lines = whole.read_bytes().splitlines(keepends=True)
        room = sum(map(len, lines[:3])) + len(lines[3]) // 2

        def small_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        self.assert_fails(self.generate(*args, out, preexec_fn=small_disk), 1, "out.jsonl",
                          "3 finished rows are safe", "same command goes on")
        self.assertEqual(len(read_rows(out)), 3)
        self.assert_ok(self.generate(*args, out))
        self.assertEqual([without_seconds(row) for row in read_rows(out)],
                         [without_seconds(row) for row in read_rows(whole)])

    def test_standard_output_that_is_full(self):
        prompts = self.write_prompts(2)
        for args in (("Hi",), ("Hi", "--json"), ("Hi", "--explain"), ("--prompts", prompts)):
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                self.assert_message(self.generate(*args, stdout=full), 1, "standard output")
        with open("/dev/full", "wb") as full:
            self.assert_message(self.tq("models", stdout=full), 1, "standard output")

    def test_help_on_a_full_standard_output(self):
        for args in (("--help",), ("--version",), ("generate", "--help")):
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                self.assert_message(self.tq(*args, stdout=full), 1, "standard output")


if __name__ == "__main__":
    unittest.main()
