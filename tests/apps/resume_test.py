"""A results file that a crash left in any state: the same command completes it."""

import random
import unittest

from tq_command import TinyTest, read_rows, without_seconds

COUNT = 6


class ResumeTest(TinyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = None

    def setUp(self):
        super().setUp()
        self.args = ("--prompts", self.write_prompts(COUNT), "--decoder", "sample", "--max-tokens",
                     10, "--together", 1, "--out")
        if self.whole is None:
            path = self.folder / "whole.jsonl"
            self.assert_ok(self.generate(*self.args, path))
            type(self).whole = path.read_bytes()
        self.out = self.folder / "out.jsonl"

    def complete(self, content):
        """Resumes a file with this content; returns its rows, which must all be there once."""
        self.out.write_bytes(content)
        self.assertEqual(self.assert_ok(self.generate(*self.args, self.out)).out, "")
        rows = read_rows(self.out)
        self.assertEqual(sorted(row["id"] for row in rows), [f"p{i}" for i in range(COUNT)])
        return rows

    def expected(self):
        path = self.write("expected.jsonl", self.whole)
        return [without_seconds(row) for row in read_rows(path)]

    def test_cut_anywhere(self):
        ends = [i + 1 for i, byte in enumerate(self.whole) if byte == 10]
        edges = [end + shift for end in ends for shift in (-1, 0, 1, 6)]
        random_cuts = random.Random(7).sample(range(len(self.whole)), 6)
        for cut in sorted({0, 1, 5, 6, 7, 8, *edges, *random_cuts} - {ends[-1] + 1, ends[-1] + 6}):
            with self.subTest(cut=cut):
                rows = self.complete(self.whole[:cut])
                kept = self.whole[:cut].count(b"\n")
                self.assertTrue(self.out.read_bytes().startswith(
                    self.whole[:ends[kept - 1]] if kept else b""))
                self.assertEqual([without_seconds(row) for row in rows], self.expected())

    def test_finished_rows_are_not_made_again(self):
        self.complete(self.whole)
        self.assertEqual(self.out.read_bytes(), self.whole)

    def test_rows_in_any_order(self):
        lines = self.whole.splitlines(keepends=True)
        mixed = lines[4] + lines[1]
        rows = self.complete(mixed)
        self.assertTrue(self.out.read_bytes().startswith(mixed))
        self.assertEqual([row["id"] for row in rows], ["p4", "p1", "p0", "p2", "p3", "p5"])
        by_id = {row["id"]: without_seconds(row) for row in rows}
        self.assertEqual([by_id[f"p{i}"] for i in range(COUNT)], self.expected())

    def test_rows_of_prompts_that_are_gone(self):
        lines = self.whole.splitlines(keepends=True)
        foreign = lines[0].replace(b'"id":"p0"', b'"id":"elsewhere"')
        self.out.write_bytes(foreign)
        self.assert_ok(self.generate(*self.args, self.out))
        self.assertEqual([row["id"] for row in read_rows(self.out)],
                         ["elsewhere"] + [f"p{i}" for i in range(COUNT)])


if __name__ == "__main__":
    unittest.main()
