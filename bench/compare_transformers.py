#!/usr/bin/env python3
"""The procedure of Transfer Q*'s public code on Hugging Face transformers, for `tq bench --compare`.

For each token, each of the k likeliest ones is continued greedily by generate() from the whole text, and
the decoded text is scored by a reward model from nothing (here a linear head on the same weights: its cost
does not depend on its weights). Nothing is kept from one candidate or token to the next.

    pip install torch transformers gguf accelerate
    tq bench --model smollm2-f32 --decoder official ... \\
        --compare 'python3 bench/compare_transformers.py FILE.gguf --top-k 10 --horizon 20'
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("model", type=Path, help="a GGUF file of F32 weights")
    flags.add_argument("--top-k", type=int, default=10)
    flags.add_argument("--horizon", type=int, default=20)
    flags.add_argument("--alpha", type=float, default=1.0)
    flags.add_argument("--threads", type=int, default=2)
    flags.add_argument("--tokens", type=int, help="make so many instead of what is asked for")
    options = flags.parse_args()
    torch.set_num_threads(options.threads)
    where = {"pretrained_model_name_or_path": str(options.model.parent),
             "gguf_file": options.model.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32).eval()
    head = torch.zeros(model.config.hidden_size)
    request = json.loads(sys.stdin.readline())
    text = tokenizer(request["prompt"], return_tensors="pt").input_ids
    count = options.tokens or request["tokens"]
    start = time.monotonic()
    with torch.no_grad():
        for _ in range(count):
            top = model(text).logits[0, -1].topk(options.top_k)
            scores = []
            for logit, token in zip(top.values, top.indices):
                grown = torch.cat([text, token.view(1, 1)], dim=1)
                rolled = model.generate(grown, max_new_tokens=options.horizon, do_sample=False,
                                        attention_mask=torch.ones_like(grown),
                                        pad_token_id=tokenizer.eos_token_id)
                again = tokenizer(tokenizer.decode(rolled[0]), return_tensors="pt").input_ids
                state = model.model(again).last_hidden_state[0, -1]
                scores.append(logit + state @ head / options.alpha)
            best = max(range(options.top_k), key=lambda i: scores[i])
            text = torch.cat([text, top.indices[best].view(1, 1)], dim=1)
    print(json.dumps({"tokens": count, "seconds": time.monotonic() - start}))


if __name__ == "__main__":
    main()
