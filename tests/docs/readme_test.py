"""Runs what README.md and docs/*.md show (not docs/results, which programs write): each ```sh block with a line that begins with `tq `.

The blocks of a page run in order, in one folder, with `sh -e`, the default model, and the tq under
test on the PATH; each must end with exit code 0. A block behind a line
    <!-- not run: REASON -->
is skipped. Blocks without such a line (set-up commands, for instance) are not run.
"""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^(?P<skip><!-- *not run:(?P<reason>[^\n]*?)-->\s*\n)?```sh\n(?P<text>.*?)^```",
                   re.M | re.S)


class Block(NamedTuple):
    line: int
    text: str
    skipped: bool


def blocks(page_text):
    """The blocks that show tq."""
    found = []
    for match in BLOCK.finditer(page_text):
        if re.search(r"^tq ", match["text"], re.M):
            if match["skip"] and not match["reason"].strip():
                raise ValueError(f"a block is not run without a reason: {match['text']}")
            line = page_text.count("\n", 0, match.start("text")) + 1
            found.append(Block(line, match["text"], bool(match["skip"])))
    return found


def run(text, folder):
    tq = Path(os.environ["TQ"]).resolve()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    models = os.environ.get("TQ_MODELS_DIR") or str(cache / "transferq" / "models")
    # The models of this machine, and a cache of the page's own: what it tunes is its own affair.
    env = dict(os.environ, PATH=f"{tq.parent}{os.pathsep}{os.environ['PATH']}",
               TQ_MODELS_DIR=models, XDG_CACHE_HOME=str(Path(folder) / "cache"))
    return subprocess.run(["sh", "-e"], input=text, cwd=folder, env=env, text=True, timeout=900,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class ExtractionTest(unittest.TestCase):
    def test_blocks(self):
        page = ("```sh\nmake demo\n```\n\ntext\n```sh\ntq models\n```\n"
                "<!-- not run: downloads much -->\n```sh\n# first\ntq serve\n```\n"
                "```json\ntq models\n```\n```sh\necho tq models\n```\n")
        self.assertEqual(blocks(page), [Block(7, "tq models\n", False),
                                        Block(11, "# first\ntq serve\n", True)])
        with self.assertRaises(ValueError):
            blocks("<!-- not run: -->\n```sh\ntq models\n```\n")

    def test_a_command_that_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertNotEqual(run("tq models --bogus\ntrue\n", folder).returncode, 0)
            self.assertEqual(run("tq --version\n", folder).returncode, 0)


class PagesTest(unittest.TestCase):
    def test_the_readme_shows_the_command(self):
        self.assertTrue((ROOT / "README.md").exists(), "there is no README.md")
        shown = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
        self.assertTrue([b for b in shown if not b.skipped], "README.md has no block that runs tq")

    def test_what_is_shown_works(self):
        for page in PAGES:
            if not page.exists():
                continue
            with tempfile.TemporaryDirectory(prefix="tq-docs-") as folder:
                for block in blocks(page.read_text(encoding="utf-8")):
                    if block.skipped:
                        continue
                    with self.subTest(page=page.name, line=block.line):
                        done = run(block.text, folder)
                        self.assertEqual(done.returncode, 0, f"{block.text}\n{done.stdout}")


if __name__ == "__main__":
    unittest.main()
