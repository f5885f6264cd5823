#!/usr/bin/env python3
"""How large the report of 1,000 prompts x 8 decoders is, and how fast a browser opens it.

    TQ=build/release/apps/tq/tq bench/report_load.py [PROMPTS]

Answers are synthetic, of about 64 tokens. Prints; nothing passes or fails.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "apps"))
from browser import Browser, find_browser  # noqa: E402
from results_fixture import experiment, lines  # noqa: E402
from tq_command import run  # noqa: E402


def main():
    prompts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as folder:
        results, page = Path(folder, "results.jsonl"), Path(folder, "report.html")
        results.write_text(lines(experiment(prompts)), encoding="utf-8")
        begin = time.monotonic()
        done = run("report", str(results), "--out", str(page))
        if done.code != 0:
            sys.exit(done.err)
        print(f"results {results.stat().st_size / 1e6:.1f} MB, report "
              f"{page.stat().st_size / 1e6:.1f} MB, written in {time.monotonic() - begin:.1f} s")
        if not find_browser():
            sys.exit("no browser: install chromium")
        for _ in range(3):
            with Browser() as browser:
                tab = browser.open(page.as_uri())
                times = tab.value("""(() => {
                  const n = performance.getEntriesByType('navigation')[0];
                  const p = performance.getEntriesByName('first-contentful-paint')[0];
                  return [p ? p.startTime : NaN, n.domContentLoadedEventEnd, n.loadEventEnd];
                })()""")
                print("first contentful paint {:.0f} ms, DOM ready {:.0f} ms, load {:.0f} ms"
                      .format(*(t if t is not None else float("nan") for t in times)))


if __name__ == "__main__":
    main()
