"""Writes results files as `tq eval` does, with values that depend on their place alone."""

import json

RUNS = (("plain", "sample", 0.0, 1, 0.0), ("args", "args", 0.5, 11, 2.0),
        ("cd", "cd", 0.6, 40, 3.0), ("tq alpha 1", "tq", 1.1, 210, 4.5),
        ("tq alpha 0.25", "tq", 1.4, 212, 9.0), ("best of 8", "best-of", 0.8, 9, 1.6),
        ("official", "official", 0.4, 205, 2.5), ("greedy", "greedy", 0.1, 1, 0.5))
WORDS = ("the sea was calm and the two friends talked about rain until evening came while a small "
         "boat drifted slowly past the old harbour wall and nobody said anything more").split()
HOSTILE = ("</script><script>document.title='broken'</script>", "<!-- not a comment --> <b>bold</b>",
           "<img src=x onerror=document.title='broken'>", "שלום עולם, مرحبا", "emoji 👩‍👩‍👧 🇫🇷 🙂",
           "a\u202eoverride", "&lt;not an entity&gt; \"quotes\" 'too'", "long" + "x" * 300, "")


def noise(*key):
    """A number in [-1, 1) that depends on the key alone."""
    value = 2166136261
    for byte in repr(key).encode():
        value = (value ^ byte) * 16777619 % 2**32
    return ((value ^ value >> 15) * 2246822519 % 2**32) / 2**31 - 1


def header(runs=RUNS, prompts=12, seeds=(0,), settings="f00d", **changes):
    row = {"id": "#setup", "settings": settings, "name": "A small experiment",
           "description": "Made for a test.",
           "setup": '[data]\nfile = "prompts.jsonl"\n\n[[decoder]]\nname = "plain"\n',
           "data": {"file": "prompts.jsonl", "format": "jsonl", "sha256": "ab" * 32,
                    "prompts": prompts, "sampled": prompts, "seed": 0},
           "models": {"reference": {"name": "smollm2", "file": "SmolLM2.gguf", "format": "chat",
                                    "system": "Be kind, <b>always</b>", "digest": "cd" * 32},
                      "reward": {"name": "sentiment", "digest": "ef" * 32}},
           "version": "0.1.0", "engine": "llama.cpp",
           "machine": {"cpu": "a processor", "cores": 2, "memory_gb": 8, "system": "Linux"},
           "runs": [{"name": name, "decoder": decoder, "settings": {"--alpha": "1"}}
                    for name, decoder, *_ in runs],
           "against": "plain", "rewards": ["helpful"], "seeds": list(seeds), "shard": "1/1",
           "command": "tq eval setup.toml --out results.jsonl"}
    row.update(changes)
    return row


def text_of(run, prompt, tokens=64):
    """About `tokens` tokens of text, and what of it was changed."""
    words, changed, at = [], [], 0
    for i in range(max(1, tokens * 4 // 5)):
        word = WORDS[int((noise(run, prompt, i) + 1) / 2 * len(WORDS))]
        if noise("c", run, prompt, i) > 0.6:
            changed.append([at, at + len(word)])
        words.append(word)
        at += len(word) + 1
    return " ".join(words), changed


def answer(run, prompt, seed=0, settings="f00d", tokens=64, hostile=False, **changes):
    name, decoder, gain, cost, kl = run
    text, changed = text_of(name, prompt, tokens)
    asked = f"Prompt number {prompt}: say something about a rainy day by the sea, for a friend."
    if hostile:
        text = asked = HOSTILE[prompt % len(HOSTILE)]
        asked = asked or "An empty answer follows"
        changed = [[1, 3]] if len(text) > 3 else []
    reward = gain + 0.8 * noise("prompt", prompt) + 0.5 * noise(name, prompt, seed)
    row = {"id": f"{name}/{seed}/p{prompt}", "settings": settings, "run": name,
           "prompt_id": f"p{prompt}", "prompt": asked, "response": text, "prompt_tokens": 20,
           "response_tokens": tokens, "decoder": decoder, "seed": seed, "finish_reason": "length",
           "reward": reward, "kl_to_reference": kl * (1 + 0.2 * noise("kl", name, prompt)),
           "kl_kind": "exact" if decoder != "best-of" else "bound", "changed": changed,
           "evaluations": {"policy": cost * tokens, "reference": 0, "reward": 0, "prompt": 20},
           "seconds": 0.01 * cost * tokens,
           "metrics": {"words": len(text.split()), "rep_2": 4.0, "rep_3": 1.5, "rep_4": 0.5,
                       "diversity": 0.94, "coherence": 0.6, "perplexity": 12.5,
                       "rewards": {"helpful": 0.5 * reward + 0.3 * noise("h", name, prompt)}}}
    row.update(changes)
    return row


def judgement(run, prompt, seed=0, settings="f00d"):
    first = ("win", "tie", "lose", "none")[prompt % 4]
    second = first if prompt % 5 else "lose"
    same = first == second and first != "tie"
    verdict = "none" if "none" in (first, second) else first if same else "tie"
    return {"id": f"judge/{run[0]}/{seed}/p{prompt}", "settings": settings, "run": run[0],
            "prompt_id": f"p{prompt}", "seed": seed, "against": "plain", "judge": "smollm2",
            "first": first, "second": second, "verdict": verdict}


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def experiment(prompts=12, runs=RUNS, seeds=(0,), judged=True, hostile=False, tokens=64):
    rows = [header(runs, prompts, seeds)]
    for prompt in range(prompts):
        for seed in seeds:
            rows += [answer(run, prompt, seed, hostile=hostile, tokens=tokens) for run in runs]
            if judged:
                rows += [judgement(run, prompt, seed) for run in runs[1:]]
    return rows
