"""Judges that are of no use, on a real server: nothing is guessed, and nothing is lost."""

import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tq_command import TinyTest, read_rows

PROMPTS = 4
PAIRS = 2 * PROMPTS  # of two runs beside the one they are compared with
ROWS = 1 + 3 * PROMPTS + PAIRS


class Server:
    """Speaks OpenAI's chat completions. `says(asked, number)` is its answer, or a whole body as
    bytes; none: it closes the connection."""

    def __init__(self, says, port=0):
        outer = self
        self.asked = []
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = json.loads(body)["messages"][-1]["content"]
                with lock:
                    outer.asked.append(asked)
                    answer = says(asked, len(outer.asked))
                if answer is None:
                    self.close_connection = True
                    return
                if not isinstance(answer, bytes):
                    answer = json.dumps({"choices": [{"message": {"content": answer},
                                                      "finish_reason": "stop"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def port(self):
        return self.server.server_address[1]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class EvalJudgeTest(TinyTest):
    def serve(self, says, port=0):
        server = Server(says, port)
        self.addCleanup(server.stop)
        return server

    def setup(self, port):
        self.write_prompts(PROMPTS)
        return self.write("setup.toml", f"""
            model = "{self.model}"
            reward = "words=you good"
            max-tokens = 8
            [data]
            prompts = "prompts.jsonl"
            [judge]
            url = "http://127.0.0.1:{port}/v1"
            model = "any"
            retries = 0
            timeout = 20
            [[decoder]]
            name = "plain"
            decoder = "sample"
            [[decoder]]
            name = "transfer"
            decoder = "tq"
            top-k = 3
            horizon = 2
            [[decoder]]
            name = "greedy"
            """)

    def eval(self, port):
        return self.tq("eval", self.setup(port), "--out", "r.jsonl", "--threads", 1)

    def judgements(self):
        return [row for row in read_rows(self.folder / "r.jsonl") if "verdict" in row]

    def judged(self):
        """{run: cells} of the report's table of judgements."""
        markdown = self.assert_ok(self.tq("report", "r.jsonl")).out
        table = markdown.split("## Judge\n\n")[1].split("\n\n")[0].splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
        return {row[0]: row[1:] for row in rows[2:]}, markdown

    def test_nonsense_is_counted_and_not_guessed(self):
        nonsense = ("I like turtles.", "", "[[D]]", "Assistant A is better", "A and B", "[[A]] or [[B]] or [[C]]")
        server = self.serve(lambda asked, number: nonsense[number % len(nonsense)])
        self.assert_ok(self.eval(server.port))
        rows = self.judgements()
        self.assertEqual(len(rows), PAIRS)
        for row in rows:
            self.assertEqual((row["first"], row["second"], row["verdict"]), ("none",) * 3)
        self.assertEqual(len(server.asked), 2 * PAIRS)  # asked once each, not until it pleases
        table, markdown = self.judged()
        for run in ("transfer", "greedy"):
            self.assertEqual(table[run], ["0 / 0 / 0", "–", "–", "– / –", str(PROMPTS)])
        self.assertIn(f"{PAIRS} verdicts of the judge could not be read", markdown)

    def test_one_order_that_cannot_be_read_makes_no_verdict(self):
        server = self.serve(lambda asked, number: "[[A]]" if number % 2 else "who knows")
        self.assert_ok(self.eval(server.port))
        for row in self.judgements():
            self.assertEqual((row["first"], row["second"], row["verdict"]), ("win", "none", "none"))
        self.assertEqual(self.judged()[0]["transfer"][0], "0 / 0 / 0")

    def test_one_that_only_looks_at_the_place(self):
        for says, bias in (("[[A]]", "100% / 0%"), ("[[B]]", "0% / 100%")):
            with self.subTest(says=says):
                server = self.serve(lambda asked, number, says=says: says)
                self.assert_ok(self.eval(server.port))
                self.assertEqual({row["verdict"] for row in self.judgements()}, {"tie"})
                for run in ("transfer", "greedy"):
                    self.assertEqual(self.judged()[0][run],
                                     [f"0 / {PROMPTS} / 0", "0%", "100%", bias, "0"])
                (self.folder / "r.jsonl").unlink()

    def test_both_answers_are_shown_in_both_orders(self):
        server = self.serve(lambda asked, number: "[[C]]")
        self.assert_ok(self.eval(server.port))
        rows = {row["id"]: row for row in read_rows(self.folder / "r.jsonl")}
        asked = iter(server.asked)
        for row in self.judgements():
            own = rows[f"{row['run']}/0/{row['prompt_id']}"]
            other = rows[f"plain/0/{row['prompt_id']}"]
            for first, second in ((own, other), (other, own)):
                text = next(asked)
                self.assertIn(own["prompt"], text)
                at = text.index(first["response"])
                self.assertIn(second["response"], text[at + len(first["response"]):])
        self.assertIsNone(next(asked, None))

    def test_a_server_that_is_gone(self):
        server = Server(lambda asked, number: "[[A]]" if number <= 6 else None)
        done = self.eval(server.port)
        self.assert_fails(done, 1, "judging run 'transfer'", "prompt 'p3'", "127.0.0.1")
        server.stop()
        rows = read_rows(self.folder / "r.jsonl")
        self.assertEqual(len(rows), 1 + 3 * PROMPTS + 3)  # three pairs were judged
        self.assert_fails(self.eval(server.port), 1, "judging run", "127.0.0.1")  # still gone
        self.assertEqual(read_rows(self.folder / "r.jsonl"), rows)
        # It is back, at the same address: what is there is kept, what is missing is asked.
        again = self.serve(lambda asked, number: "[[B]]", server.port)
        self.assert_ok(self.eval(server.port))
        self.assertEqual(read_rows(self.folder / "r.jsonl")[:len(rows)], rows)
        self.assertEqual(len(read_rows(self.folder / "r.jsonl")), ROWS)
        self.assertEqual(len(again.asked), 2 * (PAIRS - 3))

    def test_a_server_that_speaks_something_else(self):
        for body in (b"<html>hello</html>", b"{}", b'{"choices": []}'):
            with self.subTest(body=body):
                server = self.serve(lambda asked, number, body=body: body)
                self.assert_fails(self.eval(server.port), 1, "judging run 'transfer'",
                                  "chat completions")
                self.assertEqual(len(read_rows(self.folder / "r.jsonl")), 1 + 3 * PROMPTS)
                (self.folder / "r.jsonl").unlink()


if __name__ == "__main__":
    unittest.main()
