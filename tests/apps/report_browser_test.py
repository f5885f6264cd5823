"""The report in a real browser: on a phone, in the dark, in print, with hostile texts.

Screenshots are kept where TQ_SCREENSHOTS says, for whoever wants to look.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest
import zlib
from pathlib import Path

from browser import Browser, find_browser, read_png
from results_fixture import HOSTILE, RUNS, experiment, lines
from tq_command import CommandTest

SKIP = ("no browser here: install Debian's package chromium (scripts/bootstrap --tests does), or "
        "name one by TQ_BROWSER")

# The least contrast (WCAG 2) of a text that can be seen with what is behind it, and where.
CONTRAST = r"""(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number);
    return m.length < 4 ? [...m, 1] : m; };
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; }
    return [255, 255, 255, 1]; };
  let least = [99, ""], count = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || e.closest("script, noscript, title, style")) continue;
    if (e.getClientRects().length === 0) continue;
    const style = getComputedStyle(e);
    const a = light(parse(e.closest("svg") ? style.fill : style.color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    ++count;
    if (ratio < least[0]) least = [ratio, n.data.slice(0, 60)];
  }
  return [...least, count];
})()"""


def pdf_pages(data):
    """How many pages a PDF has, also where its objects are packed."""
    packed = b"".join(unpacked(s) for s in re.findall(rb"stream\r?\n(.*?)endstream", data, re.S))
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", data + packed))


def unpacked(stream):
    try:
        return zlib.decompressobj().decompress(stream)
    except zlib.error:
        return b""


class ReportBrowserTest(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = cls.enterClassContext(Browser()) if hasattr(cls, "enterClassContext") \
            else cls.enter(Browser())
        cls.shots = os.environ.get("TQ_SCREENSHOTS")

    @classmethod
    def enter(cls, context):
        entered = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return entered

    def page(self, **options):
        results = self.write("results.jsonl", lines(experiment(**options)))
        out = self.folder / "report.html"
        self.assert_ok(self.tq("report", results, "--out", out))
        return out.as_uri()

    def open(self, url, **options):
        tab = self.browser.open(url, **options)
        self.addCleanup(self.browser.send, "Target.closeTarget",
                        targetId=tab.send("Target.getTargetInfo")["targetInfo"]["targetId"])
        return tab

    def assert_quiet(self, tab):
        """No errors, and no request but for the page itself."""
        self.assertEqual(tab.errors(), [])
        self.assertEqual([url for url in tab.requests() if not url.startswith("file:")], [])
        self.assertEqual(len(tab.requests()), 1, tab.requests())

    def look(self, tab, name, colours=40):
        """The screenshot is of the size asked for, and something is on it."""
        data = tab.screenshot()
        if self.shots:
            Path(self.shots, name + ".png").write_bytes(data)
        width, height, pixels = read_png(data)
        self.assertEqual([width, height], tab.value("[innerWidth, innerHeight]"))
        self.assertGreater(len(set(pixels)), colours)
        return pixels

    def test_desk(self):
        tab = self.open(self.page(prompts=30))
        self.look(tab, "desk-top")
        for part in ("charts", "answers", "run"):
            tab.value(f"document.getElementById('{part}').scrollIntoView()")
            tab.settle()
            self.look(tab, f"desk-{part}")
        self.assertEqual(tab.value("document.querySelectorAll('figure svg').length"), 3)
        self.assertEqual(tab.value("document.querySelectorAll('#summary tbody tr').length"),
                         4 * len(RUNS))
        self.assertGreater(tab.value("document.querySelectorAll('mark').length"), 100)
        least, text, count = tab.value(CONTRAST)
        self.assertGreater(count, 100)
        self.assertGreaterEqual(least, 4.5, text)
        self.assert_quiet(tab)

    def test_names_in_charts_do_not_overlap(self):
        tab = self.open(self.page(prompts=30))
        overlaps = tab.value("""[...document.querySelectorAll('figure svg')].flatMap((svg) => {
          const all = [...svg.querySelectorAll('.name')].map((e) => [e.textContent,
            e.getBoundingClientRect(), svg.getBoundingClientRect()]);
          return all.flatMap(([n, a, s], i) => {
            const out = a.left < s.left - 1 || a.right > s.right + 1 ? [n + ' leaves'] : [];
            for (const [m, b] of all.slice(i + 1)) {
              if (a.left < b.right - 1 && b.left < a.right - 1 &&
                  a.top < b.bottom - 4 && b.top < a.bottom - 4) out.push(n + ' on ' + m);
            }
            return out;
          });
        })""")
        self.assertEqual(overlaps, [])

    def test_phone(self):
        tab = self.open(self.page(hostile=True), width=375, height=812, phone=True)
        self.look(tab, "phone-top")
        for part in ("charts", "answers", "run"):
            tab.value(f"document.getElementById('{part}').scrollIntoView()")
            tab.settle()
            self.look(tab, f"phone-{part}")
        self.assertEqual(tab.value("innerWidth"), 375)
        self.assertLessEqual(tab.value("document.scrollingElement.scrollWidth"), 375)
        # Letters of charts stay readable.
        self.assertGreaterEqual(tab.value("""Math.min(...[...document.querySelectorAll(
          'figure svg text')].map((e) => e.getBoundingClientRect().height))"""), 9)
        self.assert_quiet(tab)

    def test_dark(self):
        url = self.page(prompts=20)
        tab = self.open(url, dark=True)
        dark = self.look(tab, "dark-top")
        tab.value("document.getElementById('charts').scrollIntoView()")
        tab.settle()
        self.look(tab, "dark-charts")
        least, text, _ = tab.value(CONTRAST)
        self.assertGreaterEqual(least, 4.5, text)
        bright = self.look(self.open(url), "bright-top")
        self.assertLess(sum(map(sum, dark)), sum(map(sum, bright)) / 3)
        self.assert_quiet(tab)

    def test_print(self):
        tab = self.open(self.page(prompts=60))
        tab.value("addEventListener('beforeprint', () => { window.printed = "
                  "document.querySelectorAll('.answer').length })")
        data = tab.pdf()
        if self.shots:
            Path(self.shots, "report.pdf").write_bytes(data)
        self.assertTrue(data.startswith(b"%PDF"))
        self.assertGreater(pdf_pages(data), 20)
        self.assertEqual(tab.value("window.printed"), 50 * len(RUNS))
        # What is seen when the print's style is in force.
        tab.send("Emulation.setEmulatedMedia", media="print")
        tab.settle()
        self.assertEqual(tab.value("getComputedStyle(document.querySelector('nav')).display"),
                         "none")
        self.assertGreater(tab.value("document.querySelector('.answer p').offsetHeight"), 10)
        self.assert_quiet(tab)

    @unittest.skipUnless(shutil.which("pdftotext"), "install Debian's package poppler-utils")
    def test_print_has_the_tables_and_the_answers(self):
        rows = experiment(prompts=60)
        tab = self.open(self.page(prompts=60))
        pdf = self.write("report.pdf", tab.pdf())
        done = subprocess.run(["pdftotext", "-raw", pdf, "-"], check=True, capture_output=True)
        # Lines, and the pages between them, end where there is no more room.
        printed = " ".join(done.stdout.decode().split())
        answers = [row for row in rows if "response" in row]
        for row in answers[:50 * len(RUNS)]:
            self.assertIn(row["response"], printed, row["id"])
            self.assertIn(row["prompt"], printed)
        self.assertNotIn(answers[50 * len(RUNS)]["response"], printed)
        self.assertIn("Printed: the first 50 of 60 prompts.", printed)
        # Each line of each table, in order: what the Markdown says, too.
        markdown = self.assert_ok(self.tq("report", self.folder / "results.jsonl")).out
        lines_of_tables = [line.strip("| \n").split(" | ") for line in markdown.splitlines()
                           if line.startswith("| ") and not line.startswith("| run")]
        self.assertEqual(len(lines_of_tables), 4 * len(RUNS))
        for cells in lines_of_tables:
            self.assertIn(" ".join(" ".join(cells).replace("&lt;", "<").split()), printed)

    def test_scrolling_loads_more(self):
        tab = self.open(self.page(prompts=200))
        count = "document.querySelectorAll('.prompt').length"
        first = tab.value(count)
        self.assertGreaterEqual(first, 10)
        self.assertLess(first, 60)
        for _ in range(300):
            tab.value("scrollTo(0, document.getElementById('more').getBoundingClientRect().top"
                      " + scrollY)")
            tab.settle()
            if tab.value(count) == 200:
                break
        self.assertEqual(tab.value(count), 200)
        self.assertEqual(tab.value("document.getElementById('more').textContent"), "")
        self.assert_quiet(tab)

    def test_filter_and_choice_of_runs(self):
        tab = self.open(self.page(prompts=40, seeds=(0, 1)))
        tab.value("""(() => { const f = document.getElementById('filter'); f.value = 'NUMBER 17:';
                     f.dispatchEvent(new Event('input')); })()""")
        self.assertEqual(tab.value("document.getElementById('found').textContent"),
                         "1 of 40 prompts")
        answers = "[...document.querySelectorAll('.answer h4')].map((e) => e.textContent)"
        self.assertEqual(tab.value(answers), [name for name, *_ in RUNS])
        tab.value("document.querySelectorAll('#runs input')[1].click()")
        self.assertEqual(tab.value(answers), [name for name, *_ in RUNS if name != "args"])
        before = tab.value("document.querySelector('.answer .numbers').textContent")
        tab.value("""(() => { const s = document.getElementById('seed'); s.selectedIndex = 1;
                     s.dispatchEvent(new Event('change')); })()""")
        self.assertNotEqual(tab.value("document.querySelector('.answer .numbers').textContent"),
                            before)
        self.assert_quiet(tab)

    def test_hostile_texts_are_shown_as_text(self):
        tab = self.open(self.page(prompts=len(HOSTILE), hostile=True))
        self.assertEqual(tab.value("document.title"), "A small experiment")
        shown = tab.value("""[...document.querySelectorAll('.prompt')].map((p) =>
                             p.querySelector('.answer p').textContent)""")
        self.assertEqual(shown, [text or "(an empty answer)" for text in HOSTILE])
        self.assertEqual(tab.value("document.querySelectorAll('img, b, main script').length"), 0)
        rtl = HOSTILE.index("שלום עולם, مرحبا")
        self.assertEqual(tab.value(f"getComputedStyle(document.querySelectorAll('.prompt')[{rtl}]"
                                   ".querySelector('.answer p')).direction"), "rtl")
        # The marked characters are counted in code points: 1 to 3 of the text.
        for i, text in enumerate(HOSTILE):
            if len(text) > 3:
                self.assertEqual(tab.value(f"document.querySelectorAll('.prompt')[{i}]"
                                           ".querySelector('mark').textContent"), text[1:3])
        self.assert_quiet(tab)

    def test_copy_button(self):
        tab = self.open(self.page())
        tab.value("document.querySelector('[data-of=command]').click()")
        tab.settle()
        self.assertIn(tab.value("document.querySelector('[data-of=command]').textContent"),
                      ("Copied", "Selected"))
        self.assert_quiet(tab)


if __name__ == "__main__":
    if not find_browser():
        print(SKIP)
        sys.exit(77)  # CTest shows it as skipped, not as passed
    unittest.main()
