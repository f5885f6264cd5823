#!/usr/bin/env python3
"""Write tests/fixtures/hidden_states.json: what the reference implementation says.

Hugging Face transformers loads the project's default GGUF, dequantised to
float32, and reads 20 sentences on the CPU with eager attention. For each one
the fixture keeps the token ids, the last token's hidden state after the final
norm, the linear head's reward dot(weights, hidden) + bias, and the five highest
next-token logits. transferq on the F32 GGUF with a 32-bit cache must agree with
them to 1e-3.

Run it in a virtual environment of its own (Python 3.11):

    pip install torch==2.15.0 transformers==5.23.0 accelerate==1.15.0 \\
                gguf==0.19.0 tokenizers==0.23.3 numpy==2.4.6
    python scripts/reference/hidden_states.py \\
        --gguf SmolLM2-135M-Instruct.Q4_1.gguf --sentences sst2_stsa.binary.dev \\
        --head head_sst2.json --out tests/fixtures/hidden_states.json

--gguf       the model; it is dequantised while it loads
--sentences  lines `label text`, label 0 or 1. The fixture's are from SST-2, the
             Stanford Sentiment Treebank with two labels (Socher et al., EMNLP
             2013), development part of the usual STS binary split
             (stsa.binary.dev).
--head       a linear head as JSON: `weights` and `bias`

The sentences are ten of each label, spread evenly over the file, in its order.
Figures are rounded to five decimals; another machine may differ in the last.
"""

import argparse
import hashlib
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is read from files

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

PER_LABEL = 10
TOP = 5
PACKAGES = ("torch", "transformers", "accelerate", "gguf", "tokenizers", "numpy")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("--gguf", "--sentences", "--head", "--out"):
        parser.add_argument(name, type=Path, required=True)
    return parser.parse_args()


def choose(path):
    """(line number, label, text), PER_LABEL of each label, evenly spaced."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        label, text = line.split(" ", 1)
        rows.append((number, int(label), text))
    chosen = []
    for label in (0, 1):
        same = [row for row in rows if row[1] == label]
        step = len(same) / PER_LABEL
        chosen += [same[int((i + 0.5) * step)] for i in range(PER_LABEL)]
    return sorted(chosen)


def rounded(values):
    return [round(float(value), 5) for value in values]


@torch.inference_mode()
def measure(model, tokenizer, weights, bias, text):
    ids = tokenizer(text).input_ids
    out = model(torch.tensor([ids]), output_hidden_states=True)
    hidden = out.hidden_states[-1][0, -1]  # after the final norm
    top = out.logits[0, -1].topk(TOP)
    return {
        "tokens": ids,
        "reward": round(float(hidden.double() @ weights) + bias, 5),
        "top": {"tokens": top.indices.tolist(), "logits": rounded(top.values)},
        "hidden": rounded(hidden),
    }


def main():
    args = arguments()
    head = json.loads(args.head.read_text())
    weights = torch.tensor(head["weights"], dtype=torch.float64)
    source = {"pretrained_model_name_or_path": str(args.gguf.resolve().parent)}
    source["gguf_file"] = args.gguf.name
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(
        **source, dtype=torch.float32, attn_implementation="eager"
    ).eval()

    header = {
        "model": args.gguf.name + " dequantised to float32",
        "model_sha256": hashlib.sha256(args.gguf.read_bytes()).hexdigest(),
        "head": args.head.name,
        "sentences": args.sentences.name,
        "feature": "last token, after the final norm",
        "reward": "dot(weights, hidden) + bias",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "command": "python scripts/reference/hidden_states.py"
        f" --gguf {args.gguf.name} --sentences {args.sentences.name}"
        f" --head {args.head.name} --out tests/fixtures/{args.out.name}",
    }

    def compact(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    cases = []
    for number, label, text in choose(args.sentences):
        case = {"line": number, "label": label, "text": text}
        case |= measure(model, tokenizer, weights, head["bias"], text)
        cases.append(compact(case))
    fields = [f"{compact(key)}: {compact(value)}," for key, value in header.items()]
    args.out.write_text(
        "\n".join(["{", *fields, '"cases": [', ",\n".join(cases), "]", "}"]) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
