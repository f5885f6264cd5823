"""Rewards from outside: a program of the user's, a server, and combinations of both with others."""

import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tq_command import TinyTest, read_rows, without_seconds

COUNT = 5
SERVE = """import json, sys
for line in sys.stdin:
    row = json.loads(line)
    CHECK
    print(json.dumps({"id": row["id"], "reward": row["response"].count("o")}), flush=True)
"""
DIES = "if row['prompt'].startswith('Say 2 '): sys.exit('this is the third prompt')"


class Endpoint:
    """A server that scores as the programs do; `answer(rows)` may return a status instead."""

    def __init__(self, answer=None):
        endpoint = self
        self.requests = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
                endpoint.requests.append(rows)
                status = answer(rows) if answer else None
                body = json.dumps({"rewards": [row["response"].count("o") for row in rows]}
                                  if status is None else {"error": "out of order"}).encode()
                self.send_response(status or 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class OutsideTest(TinyTest):
    def program(self, check="pass", name="reward.py"):
        return f"program=python3 {self.write(name, SERVE.replace('CHECK', check))}"

    def endpoint(self, answer=None):
        server = Endpoint(answer)
        self.addCleanup(server.close)
        return server

    def file_args(self, reward, out="out.jsonl"):
        return ("--prompts", self.write_prompts(COUNT), "--decoder", "best-of", "--samples", 3,
                "--max-tokens", 8, "--reward", reward, "--out", self.folder / out)


class DecodingTest(OutsideTest):
    def check(self, reward):
        for decoder in ("tq", "best-of"):
            with self.subTest(decoder=decoder):
                row = self.row("Hello", "--decoder", decoder, "--max-tokens", 12, "--reward",
                               reward)
                self.assertEqual(row["reward"], row["response"].count("o"))

    def test_program(self):
        self.check(self.program())

    def test_server(self):
        server = self.endpoint()
        self.check("http=" + server.url)
        prompts = {row["prompt"] for rows in server.requests for row in rows}
        self.assertEqual(prompts, {"Hello"})

    def test_best_of_is_the_best(self):
        server = self.endpoint()
        row = self.row("Hello", "--decoder", "best-of", "--samples", 9, "--max-tokens", 12,
                       "--reward", "http=" + server.url)
        self.assertEqual(len(server.requests), 1)  # all samples in one request
        rewards = [draft["response"].count("o") for draft in server.requests[0]]
        self.assertEqual(len(rewards), 9)
        self.assertEqual(row["reward"], max(rewards))

    def test_a_step_is_one_request(self):
        server = self.endpoint()
        row = self.row("Hello", "--decoder", "tq", "--max-tokens", 6, "--reward",
                       "http=" + server.url)
        # The finished response was among the last step's.
        self.assertEqual(len(server.requests), row["response_tokens"])

    def test_combination(self):
        server = self.endpoint()
        reward = (f"sum={{{self.program()}}} {{scale={{http={server.url}}},by=10}} {{length=5}},"
                  "weights=1 1 0")
        row = self.row("Hello", "--decoder", "best-of", "--max-tokens", 12, "--reward", reward)
        self.assertEqual(row["reward"], 11 * row["response"].count("o"))

    def test_finished_responses_only(self):
        server = self.endpoint()
        reward = f"http={server.url},partial=0"
        row = self.row("Hello", "--decoder", "tq", "--max-tokens", 6, "--reward", reward)
        self.assertEqual(row["reward"], row["response"].count("o"))
        self.assertIn(True, {draft["finished"] for rows in server.requests for draft in rows})
        self.assert_fails(self.generate("Hello", "--decoder", "args", "--reward", reward), 2,
                          "unfinished")

    def test_whether_unfinished_responses_are_scored_is_a_setting(self):
        """Of rows that are scored by the same server: a file has one kind."""
        server = self.endpoint()
        args = [*self.file_args(f"http={server.url}"), "--decoder", "tq"]
        args.remove("best-of")
        args.remove("--decoder")
        self.assert_ok(self.generate(*args))
        before = (self.folder / "out.jsonl").read_bytes()
        args[args.index(f"http={server.url}")] += ",partial=0"
        self.assert_message(self.generate(*args), 1, "out.jsonl", "other settings")
        self.assertEqual((self.folder / "out.jsonl").read_bytes(), before)
        args[args.index("--out") + 1] = self.folder / "finished.jsonl"
        self.assert_ok(self.generate(*args))
        settings = [{row["settings"] for row in read_rows(self.folder / name)}
                    for name in ("out.jsonl", "finished.jsonl")]
        self.assertEqual([len(one) for one in settings], [1, 1])
        self.assertNotEqual(*settings)

    def test_prompts_side_by_side(self):
        alone = self.assert_ok(self.generate(*self.file_args(self.program(), "alone.jsonl")))
        self.assertEqual(alone.err, "")
        self.assert_ok(self.generate(*self.file_args(self.program(), "together.jsonl"),
                                     "--together", 2, threads=2))
        by_id = [{row["id"]: without_seconds(row) for row in read_rows(self.folder / name)}
                 for name in ("alone.jsonl", "together.jsonl")]
        self.assertEqual(by_id[0], by_id[1])


class FaultTest(OutsideTest):
    def test_a_program_that_dies_at_a_prompt(self):
        args = self.file_args(self.program(DIES))
        result = self.generate(*args)
        self.assertEqual((result.code, result.out), (1, ""))
        last = result.err.splitlines()[-1]
        for words in ("tq: prompt 'p2': the reward program", "reward.py", "exited with status 1",
                      "3 times in a row", "(its last message: 'this is the third prompt')"):
            self.assertIn(words, last)
        kept = (self.folder / "out.jsonl").read_bytes()
        self.assertEqual([row["id"] for row in read_rows(self.folder / "out.jsonl")], ["p0", "p1"])

        self.program()  # mended
        self.assert_ok(self.generate(*args))
        self.assertTrue((self.folder / "out.jsonl").read_bytes().startswith(kept))
        rows = read_rows(self.folder / "out.jsonl")
        self.assertEqual([row["id"] for row in rows], [f"p{i}" for i in range(COUNT)])
        for row in rows:
            self.assertEqual(row["reward"], row["response"].count("o"))

    def test_a_server_that_breaks_at_a_prompt(self):
        broken = [True]
        server = self.endpoint(
            lambda rows: 500 if broken[0] and rows[0]["prompt"].startswith("Say 2 ") else None)
        args = self.file_args(f"http={server.url},retries=1")
        self.assert_fails(self.generate(*args), 1, "prompt 'p2': the reward server", server.url,
                          "answered 500, 2 times in a row", "out of order")
        self.assertEqual([row["id"] for row in read_rows(self.folder / "out.jsonl")], ["p0", "p1"])
        broken[0] = False
        self.assert_ok(self.generate(*args))
        self.assertEqual(len(read_rows(self.folder / "out.jsonl")), COUNT)

    def test_a_nan_is_no_score(self):
        reward = self.program("print(json.dumps({'id': row['id'], 'reward': float('nan')})); break")
        self.assert_fails(self.generate("Hello", "--json", "--decoder", "tq", "--reward", reward),
                          1, "NaN", "finite number")
        self.assert_fails(self.generate("Hello", "--json", "--decoder", "best-of", "--reward",
                                        self.program("row['response'] = ''; 1 / 0")
                                        + " 2> /dev/null,restarts=0"), 1, "exited with status 1")

    def test_nobody_listens(self):
        server = Endpoint()
        server.close()
        self.assert_fails(self.generate("Hello", "--json", "--decoder", "tq", "--reward",
                                        f"http={server.url},retries=0"), 1,
                          server.url, "can't be reached")


if __name__ == "__main__":
    unittest.main()
