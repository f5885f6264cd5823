"""`tq report`: the tables of a results file, its shards, and files that can't be reported."""

import re
import unittest

from results_fixture import RUNS, answer, experiment, header, lines
from tq_command import CommandTest

PAIR = RUNS[:2]


class ReportTest(CommandTest):
    def report(self, *rows, name="results.jsonl", **options):
        return self.tq("report", self.write(name, lines(rows)), **options)

    def test_markdown(self):
        text = self.assert_ok(self.report(*experiment())).out
        self.assertTrue(text.startswith("# A small experiment\n\nMade for a test.\n\n**"))
        for words in ("tq alpha 0.25 has the most reward", "The order plain < ARGS".replace("<",
                      "&lt;"), "## Reward", "## Unseen reward: helpful", "## Text and cost", "## Judge", "| plain |",
                      "(bound)", "tq eval setup.toml --out results.jsonl", "```toml\n[data]",
                      "verdicts of the judge could not be read"):
            self.assertIn(words, text)
        tables = [block for block in text.split("\n\n") if block.startswith("|")]
        self.assertEqual(len(tables), 4)
        for table in tables:
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            self.assertEqual(len(widths), 1, table)
            self.assertEqual(len(table.splitlines()), 2 + len(RUNS))

    def test_models_are_told_field_by_field(self):
        text = self.assert_ok(self.report(*experiment())).out
        self.assertIn('- reference: smollm2; file SmolLM2.gguf; format chat; system "Be kind, '
                      f'&lt;b>always&lt;/b>"; digest {"cd" * 32}\n'
                      f'- reward: sentiment; digest {"ef" * 32}\n', text)
        lora = {"file": "kind.gguf", "scale": 0.5, "digest": "01" * 32}
        models = {"reference": {"name": "m.gguf", "file": "m.gguf", "format": "raw", "lora": lora,
                                "digest": "ab"}}
        rows = experiment(prompts=2, runs=PAIR, judged=False)
        text = self.assert_ok(self.report(header(PAIR, 2, models=models), *rows[1:])).out
        self.assertIn("- reference: m.gguf; format raw; lora (file kind.gguf, scale 0.5, digest "
                      f"{'01' * 32}); digest ab\n", text)
        # A header of before there were fields, with one text for each.
        old = header(PAIR, 2, models={"reference": "m.gguf, 47ee chat   1  1"})
        text = self.assert_ok(self.report(old, *rows[1:])).out
        self.assertIn("- reference: m.gguf, 47ee chat   1  1\n", text)

    def test_page_and_markdown_files(self):
        results = self.write("r.jsonl", lines(experiment()))
        page, text = self.folder / "r.html", self.folder / "r.md"
        done = self.assert_ok(self.tq("report", results, "--out", page, "--markdown", text))
        self.assertEqual((done.out, done.err), ("", ""))
        self.assertEqual(text.read_text(encoding="utf-8"),
                         self.assert_ok(self.tq("report", results)).out)
        html = page.read_text(encoding="utf-8")
        self.assertNotRegex(html, r'(src|href)="(?!#)')
        self.assertNotRegex(html, r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)")
        again = self.folder / "again.html"
        self.assert_ok(self.tq("report", results, "--out", again))
        self.assertEqual(again.read_bytes(), page.read_bytes())
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["again.html", "r.html", "r.jsonl", "r.md"])

    def test_shards_in_any_order_are_the_whole(self):
        rows = experiment(prompts=10)
        whole = self.assert_ok(self.report(*rows)).out
        a = self.write("a.jsonl", lines([rows[0], *rows[1::2]]))
        b = self.write("b.jsonl", lines([rows[0], *rows[2::2]]))
        for files in ((a, b), (b, a), (a, b, a)):
            shards = self.assert_ok(self.tq("report", *files)).out
            self.assertEqual(shards.split("## What")[0], whole.split("## What")[0])
        alone = self.assert_ok(self.tq("report", a)).out
        self.assertRegex(alone, r"\d+ of 80 responses are missing")

    def test_failures_are_counted_and_not_averaged(self):
        rows = experiment(prompts=4, runs=PAIR, judged=False)
        failed = {"id": "args/0/p3", "settings": "f00d", "run": "args", "prompt_id": "p3",
                  "seed": 0, "error": "the prompt is too long"}
        text = self.assert_ok(self.report(*rows[:-1], failed)).out
        self.assertIn("1 response failed", text)
        self.assertIn("the prompt is too long", text)
        self.assertIn("| args | 3 |", text)
        again = self.assert_ok(self.report(*rows[:-1], failed, rows[-1])).out
        self.assertNotIn("failed", again.split("## ")[0])
        self.assertIn("| args | 4 |", again)

    def test_a_row_cut_off_by_a_kill_is_said(self):
        rows = experiment(prompts=3, runs=PAIR, judged=False)
        file = self.write("r.jsonl", lines(rows)[:-40])
        done = self.assert_ok(self.tq("report", file))
        self.assertIn("r.jsonl line 7: a row cut off by a kill was left out", done.err)
        self.assertIn("left out", done.out)
        self.assertIn("1 of 6 responses are missing", done.out)
        whole = self.assert_ok(self.tq("report", self.write("w.jsonl", lines(rows)[:-1])))
        self.assertEqual(whole.err, "")

    def test_files_that_are_refused(self):
        head, row = header(PAIR, 2), answer(PAIR[0], 0)
        other = header(PAIR, 2, settings="beef")
        cases = (((), ("r.jsonl is empty",)),
                 ((row,), ("line 1", "header of tq eval is missing")),
                 ((head, row, {**row, "reward": 9}), ("line 3", "plain/0/p0", "line 2")),
                 ((head, {**row, "settings": "beef"}), ("line 2", "beef")),
                 ((head, {**row, "run": "nobody"}), ("line 2", "'nobody'")),
                 ((head, [1, 2]), ("line 2", "no row of tq eval")),
                 ((head, {**row, "reward": "high"}), ("line 2", '"reward" is no number')),
                 ((head, {**row, "changed": [[3, 1]]}), ("line 2", '"changed"')),
                 ((head, head), ("line 2", "second header")),
                 ((header((), 2), row), ("line 1", "no runs")))
        for rows, words in cases:
            with self.subTest(words=words):
                self.assert_fails(self.report(*rows, name="r.jsonl"), 1, *words)
        mine, theirs = self.write("m.jsonl", lines([head])), self.write("t.jsonl", lines([other]))
        self.assert_fails(self.tq("report", mine, theirs), 1, "t.jsonl line 1", "another setup",
                          "m.jsonl")
        garbage = self.write("g.jsonl", lines([head]) + "nonsense\n" + lines([row]))
        self.assert_fails(self.tq("report", garbage), 1, "g.jsonl line 2", "no row")
        self.assert_fails(self.tq("report", self.write("h.jsonl", lines([head])[:50])), 1,
                          "h.jsonl line 1")
        self.assert_fails(self.tq("report", "absent.jsonl"), 1, "absent.jsonl", "No such file")
        self.assert_fails(self.tq("report", self.folder), 1, "is a folder")
        self.assert_message(self.tq("report"), 2, "tq report --help")

    def test_places_that_cannot_be_written(self):
        results = self.write("r.jsonl", lines(experiment(2)))
        before = results.read_bytes()
        for flag in ("--out", "--markdown"):
            for place in ("absent/r.html", self.folder):
                self.assert_fails(self.tq("report", results, flag, place), 1, "can't write", str(place))
            self.assert_fails(self.tq("report", results, flag, "/dev/full"), 1, "can't write")
            self.assert_fails(self.tq("report", results, flag, results), 2, "overwritten")
        self.assertEqual(results.read_bytes(), before)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["r.jsonl"])

    def test_no_rows_yet(self):
        text = self.assert_ok(self.report(header(PAIR, 2))).out
        self.assertIn("No run has a reward", text)
        self.assert_ok(self.report(header(PAIR, 2), name="n.jsonl"))


if __name__ == "__main__":
    unittest.main()
