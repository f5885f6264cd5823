#!/usr/bin/env python3
"""Does each kind of reward rise when one decodes towards it? A Markdown table on standard output.

For each kind: its own reward of plain greedy decoding, best-of-8 and Transfer Q* on the prompts of
examples/prompts/everyday.jsonl, and the mean gain over greedy with a 95% interval (Student's t over prompts).

    make build && bench/reward_kinds.py > docs/results/reward_kinds.md

The model for `rank` has random weights (tests/apps/make_tiny writes it): no rank GGUF is among the
models that this project can fetch, and whether a reward rises does not depend on its meaning. The
program and the HTTP server are this file itself.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TQ = os.environ.get("TQ", str(ROOT / "build/release/apps/tq/tq"))
MAKE_TINY = os.environ.get("MAKE_TINY", str(ROOT / "build/release/tests/apps/make_tiny"))
PROMPTS = ROOT / "examples/prompts/everyday.jsonl"
COMMON = ["--max-tokens", "12", "--top-k", "4", "--horizon", "4"]
DECODERS = {
    "greedy": ["--decoder", "greedy"],
    "best-of-8": ["--decoder", "best-of", "--samples", "8"],
    "tq": ["--decoder", "tq", "--choose", "greedy", "--rollout-choose", "greedy", "--alpha", "1e-6"],
}
T_95 = 2.093  # two-sided, for 20 prompts


def variety(text):
    """Share of words that were not used before."""
    words = text.lower().split()
    return len(set(words)) / len(words) if words else 0.0


def serve_lines():
    """The program reward: a row in, a row out."""
    for line in sys.stdin:
        row = json.loads(line)
        print(json.dumps({"id": row["id"], "reward": variety(row["response"])}), flush=True)


class Handler(BaseHTTPRequestHandler):
    """The HTTP reward: a point for each letter e."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
        body = json.dumps({"rewards": [row["response"].count("e") for row in rows]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def rewards_of(reward, decoder, folder):
    """The reward of each prompt's answer, and evaluations and seconds a token."""
    command = [TQ, "generate", "--prompts", str(PROMPTS), "--json", "--reward", reward, *COMMON,
               *DECODERS[decoder]]
    started = time.monotonic()
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=folder).stdout
    rows = {row["id"]: row for row in map(json.loads, out.splitlines())}
    tokens = sum(row["response_tokens"] for row in rows.values())
    spent = sum(row["evaluations"][k] for row in rows.values()
                for k in ("policy", "reference", "reward"))
    return {i: row["reward"] for i, row in rows.items()}, spent / tokens, (
        time.monotonic() - started) / tokens


def interval(values):
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return mean, T_95 * deviation / math.sqrt(len(values))


def main():
    if sys.argv[1:] == ["--program"]:
        return serve_lines()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        rank = Path(folder) / "rank.gguf"
        subprocess.run([MAKE_TINY, "encoder", str(rank), "--rank"], check=True)
        kinds = {
            "head": "head=sentiment",
            "head, whole response": "head=harmlessness",
            "rank": f"rank={rank}",
            "judge": "judge=Is the answer cheerful?",
            "implicit": "implicit={system=Answer like a cheerful pirate.},beta=1",
            "length": "length=9",
            "regex": "regex=[aeiou]{2},cap=9",
            "words": "words=you your good,cap=5",
            "similar": "similar=The sun is shining and everybody is happy.",
            "program": f"program={sys.executable} {Path(__file__).resolve()} --program",
            "http": f"http=http://127.0.0.1:{server.server_port}/score",
            "sum": "sum={scale={head=sentiment},by=0.3} {length=9}",
        }
        names = [a for a in sys.argv[1:]] or list(kinds)
        print("| kind | greedy | best-of-8 | gain | tq | gain | evaluations a token: best-of-8, tq |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for name in names:
            base, _, _ = rewards_of(kinds[name], "greedy", folder)
            cells, costs = [], []
            for decoder in ("best-of-8", "tq"):
                found, evaluations, _ = rewards_of(kinds[name], decoder, folder)
                gain, half = interval([found[i] - base[i] for i in base])
                mean = sum(found.values()) / len(found)
                cells += [f"{mean:.3f}", f"{gain:+.3f} ± {half:.3f}"]
                costs.append(f"{evaluations:.0f}")
            plain = sum(base.values()) / len(base)
            print(f"| {name} | {plain:.3f} | {' | '.join(cells)} | {', '.join(costs)} |", flush=True)
    return None


if __name__ == "__main__":
    main()
