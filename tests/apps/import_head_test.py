"""Heads of published sequence-classification models: `tq fit --from-safetensors`."""

import json
import struct
import unittest

from tq_command import TinyTest

HIDDEN = 32  # of the small model


def safetensors(**tensors):
    """The bytes of a file of tensors, each (type, shape, data)."""
    header, data = {}, b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def f32(values):
    return struct.pack(f"<{len(values)}f", *values)


def f16(values):
    return struct.pack(f"<{len(values)}e", *values)


def bf16(values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


# Numbers that all three types hold exactly.
ROWS = [[(i * (label + 2) % 7 - 3) / 4 for i in range(HIDDEN)] for label in range(3)]
FLAT = [value for row in ROWS for value in row]


class ImportHeadTest(TinyTest):
    def fit(self, file, *args):
        return self.tq("fit", "--from-safetensors", file, "--model", self.model, "--out",
                       self.folder / "head.gguf", *args)

    def rewards(self, head):
        rows = [{"prompt": "Say a word.", "response": text} for text in ("one", "two words", "")]
        file = self.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        result = self.tq("score", file, "--model", self.model, "--threads", 1, "--cache", "f32",
                         "--reward", f"head={head}")
        return [row["reward"] for row in self.assert_ok(result).rows()]

    def rewards_of_json(self, weights, bias, pooling="end"):
        """The same head by the other way in, read where published models are read."""
        file = self.write("head.json", json.dumps({"weights": weights, "bias": bias}))
        head = self.folder / "json.gguf"
        self.assert_ok(self.tq("fit", "--from-json", file, "--model", self.model, "--pooling", pooling,
                               "--out", head))
        return self.rewards(head)

    def test_each_type_label_and_bias(self):
        for kind, pack in (("F32", f32), ("F16", f16), ("BF16", bf16)):
            with self.subTest(kind=kind):
                file = self.write("m.safetensors", safetensors(**{
                    "model.norm.weight": ("F32", [2], f32([1, 2])),
                    "score.weight": (kind, [3, HIDDEN], pack(FLAT)),
                    "score.bias": (kind, [3], pack([0.5, -1.25, 2]))}))
                self.assert_ok(self.fit(file, "--label", 1))
                self.assertEqual(self.rewards(self.folder / "head.gguf"),
                                 self.rewards_of_json(ROWS[1], -1.25))

    def test_one_label_needs_no_name_and_no_bias(self):
        file = self.write("m.safetensors", safetensors(
            **{"score.weight": ("F32", [1, HIDDEN], f32(ROWS[2]))}))
        self.assertIn("wrote", self.assert_ok(self.fit(file)).out)
        self.assertEqual(self.rewards(self.folder / "head.gguf"),
                         self.rewards_of_json(ROWS[2], 0))
        self.assert_ok(self.fit(file, "--pooling", "last"))
        last = self.rewards(self.folder / "head.gguf")
        self.assertEqual(last, self.rewards_of_json(ROWS[2], 0, "last"))
        self.assertNotEqual(last, self.rewards_of_json(ROWS[2], 0))

    def test_a_head_of_several_poolings(self):
        both = self.rewards_of_json(ROWS[0] + ROWS[2], 0, "last,mean")
        parts = zip(self.rewards_of_json(ROWS[0], 0, "last"),
                    self.rewards_of_json(ROWS[2], 0, "mean"))
        for reward, (last, mean) in zip(both, parts):
            self.assertAlmostEqual(reward, last + mean, delta=1e-4)
        file = self.write("head.json", json.dumps({"weights": ROWS[0]}))
        for pooling, status, word in (("last,mean", 1, "2 times as many"), ("mean,", 2, "order")):
            result = self.tq("fit", "--from-json", file, "--model", self.model, "--pooling", pooling,
                             "--out", self.folder / "x.gguf")
            self.assert_fails(result, status, "--pooling " + pooling, word)

    def test_a_label_by_its_name(self):
        self.write("config.json", json.dumps(
            {"id2label": {"0": "NEGATIVE", "1": "NEUTRAL", "2": "POSITIVE"}}))
        file = self.write("m.safetensors", safetensors(
            **{"head.weight": ("F32", [3, HIDDEN], f32(FLAT)),
               "head.bias": ("F32", [3], f32([1, 2, 3]))}))
        self.assert_ok(self.fit(file, "--tensor", "head.weight", "--label", "POSITIVE"))
        self.assertEqual(self.rewards(self.folder / "head.gguf"),
                         self.rewards_of_json(ROWS[2], 3))
        for args in ((), ("--label", "3"), ("--label", "HAPPY")):
            with self.subTest(args=args):
                result = self.fit(file, "--tensor", "head.weight", *args)
                self.assert_fails(result, 2, "--label", "0 (NEGATIVE)", "2 (POSITIVE)")

    def test_files_that_do_not_fit(self):
        whole = safetensors(**{"score.weight": ("F32", [1, HIDDEN], f32(ROWS[0]))})
        cases = {
            "cut short": (whole[:-1], 1, ("damaged",)),
            "empty": (b"", 1, ("too short",)),
            "a letter": (b"Dear model, please be kind to us all.", 1, ("damaged",)),
            "another base": (safetensors(**{"score.weight": ("F32", [1, 4], f32([1] * 4))}), 1,
                             ("[1, 4]", "--model")),
            "no head": (safetensors(**{"lm_head.weight": ("F32", [1], f32([1]))}), 1,
                        ("no tensor 'score.weight'", "lm_head.weight")),
            "whole numbers": (safetensors(**{"score.weight": ("I32", [1, HIDDEN],
                                                              bytes(4 * HIDDEN))}), 1, ("I32",)),
            "not numbers": (safetensors(**{"score.weight": ("F32", [1, HIDDEN],
                                                            f32([float("nan")] * HIDDEN))}), 1,
                            ("finite",)),
            "two labels": (safetensors(**{"score.weight": ("F32", [2, HIDDEN],
                                                           f32(FLAT[:2 * HIDDEN]))}), 2,
                           ("--label", "0, 1")),
        }
        for name, (content, code, words) in cases.items():
            with self.subTest(name):
                file = self.write("m.safetensors", content)
                self.assert_fails(self.fit(file), code, "m.safetensors", *words)
                self.assertFalse((self.folder / "head.gguf").exists())
        self.assert_fails(self.fit("none.safetensors"), 1, "none.safetensors")

    def test_one_source(self):
        file = self.write("x", "")
        self.assert_fails(self.fit(file, "--from-json", file), 2, "--from-json",
                          "--from-safetensors")


if __name__ == "__main__":
    unittest.main()
