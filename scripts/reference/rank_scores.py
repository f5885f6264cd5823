#!/usr/bin/env python3
"""Write tests/fixtures/rank_scores.json: what llama.cpp's own server says of pairs of texts.

The server (`llama-server --rerank`) reads small BERT rerankers with random weights, which the
project's make_tiny writes from a seed, the same on every machine. For each of them the fixture
keeps the options it was written with, its SHA-256, and the server's score of each pair. transferq
on the same file must agree with them to 1e-3.

The server is llama.cpp's, of the version that transferq is built with: the sources lie in the
package llama-cpp-python 0.3.36 under vendor/llama.cpp (what scripts/setup/llama.sh takes):

    cmake -S vendor/llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF
    cmake --build build --target llama-server
    python3 scripts/reference/rank_scores.py --server build/bin/llama-server \\
        --make-tiny build/release/tests/apps/make_tiny --out tests/fixtures/rank_scores.json

Of a head with several labels the server gives the first one's score alone. It runs without flash
attention, as transferq does on the CPU: with it, keys and values are rounded to 16 bits, which
moves these models' scores by up to 0.0022.
"""

import argparse
import hashlib
import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PORT = 18573
MODELS = [
    {"seed": 1, "labels": [], "ends": False},
    {"seed": 2, "labels": ["no", "maybe", "yes"], "ends": False},
    {"seed": 3, "labels": [], "ends": True},
]
CASES = [
    (
        "Was the film any good?",
        [
            "It was a very good film.",
            "I was not happy: bad, bad, bad!",
            "rainy day",
            "The film was the film, and it was good; you'd be sad not to see it (twice).",
            "42",
            "",
        ],
    ),
    ("the day", ["the day", "day the", "a sad movie", "caf\u00e9 \u6771\u4eac"]),
]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("--server", "--make-tiny", "--out"):
        parser.add_argument(name, type=Path, required=True)
    return parser.parse_args()


def request(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    call = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data, headers)
    with urllib.request.urlopen(call, timeout=60) as answer:
        return json.load(answer)


def wait_until_ready(server):
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit(f"the server ended with status {server.returncode}")
        try:
            request("/health")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit("the server does not get ready")


def ask(query, texts):
    answer = request("/rerank", {"query": query, "documents": texts})
    scores = {item["index"]: item["relevance_score"] for item in answer["results"]}
    return {
        "query": query,
        "texts": texts,
        "tokens": answer["usage"]["prompt_tokens"],
        "scores": [round(scores[i], 6) for i in range(len(texts))],
    }


def measure(args, options, folder):
    file = folder / f"tiny-{options['seed']}.gguf"
    command = [args.make_tiny, "encoder", file, "--rank", "--seed", str(options["seed"])]
    for label in options["labels"]:
        command += ["--label", label]
    if options["ends"]:
        command.append("--ends")
    subprocess.run(command, check=True)
    server = subprocess.Popen(
        [args.server, "--model", file, "--rerank", "--flash-attn", "off", "--threads", "1"]
        + ["--port", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(server)
        cases = [ask(query, texts) for query, texts in CASES]
    finally:
        server.kill()
        server.wait()
    return {**options, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "cases": cases}


def main():
    args = arguments()
    said = subprocess.run(
        [args.server, "--version"], capture_output=True, text=True, check=True
    )
    version = (said.stdout + said.stderr).splitlines()
    with tempfile.TemporaryDirectory() as folder:
        models = [measure(args, options, Path(folder)) for options in MODELS]
    fixture = {
        "server": "llama-server --rerank --flash-attn off, llama.cpp of llama-cpp-python 0.3.36",
        "version": next((line for line in version if line.startswith("version")), ""),
        "command": "python3 scripts/reference/rank_scores.py --server llama-server"
        f" --make-tiny make_tiny --out tests/fixtures/{args.out.name}",
        "models": models,
    }
    text = json.dumps(fixture, ensure_ascii=False, indent=1)
    args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
