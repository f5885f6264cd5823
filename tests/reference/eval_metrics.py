#!/usr/bin/env python3
"""The metrics of a results file once more, by their published definitions.

    tests/reference/eval_metrics.py RESULTS.jsonl...

Written against the definitions, not the library, and in plain Python: repetition and diversity (Su
et al., arXiv:2202.06417, section 4.2), coherence as a cosine, averages over prompts, the normalised
reward, win rates, bootstrap intervals, a paired permutation test and Holm's correction. It prints
what each run comes to, one JSON object a line, then each difference to the file's own figures, and
exits with 1 where there is one. Perplexity needs the model and is compared in the unit tests.
"""

import argparse
import itertools
import json
import math
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

TOLERANCE = 1e-6
TEXT_METRICS = ("words", "rep_2", "rep_3", "rep_4", "diversity")


def rep_n(words, n):
    """100 (1 - different n-grams / n-grams), or None without any."""
    ngrams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 100 * (1 - len(set(ngrams)) / len(ngrams)) if ngrams else None


def text_metrics(response):
    words = response.split()
    out = {"words": len(words), **{f"rep_{n}": rep_n(words, n) for n in (2, 3, 4)}}
    reps = [out[f"rep_{n}"] for n in (2, 3, 4)]
    out["diversity"] = None if None in reps else math.prod(1 - rep / 100 for rep in reps)
    return out


def cosine(a, b):
    norms = math.sqrt(math.fsum(x * x for x in a) * math.fsum(x * x for x in b))
    return math.fsum(x * y for x, y in zip(a, b)) / norms


def mean(values):
    return math.fsum(values) / len(values)


def normalised(means, plain):
    """Of a {run: mean}: 0 for the run `plain`, 1 for the best; None where that is `plain`."""
    best, zero = max(means.values()), means[plain]
    return {run: (m - zero) / (best - zero) if best > zero else None for run, m in means.items()}


def verdict(first, second):
    """Of what a judge said of an answer when it stood first and when it stood second."""
    if "none" in (first, second):
        return "none"
    return first if first == second else "tie"


def win_rates(judgements):
    """Counts of verdicts, and their shares of those that can be read."""
    counts = Counter(verdict(row["first"], row["second"]) for row in judgements)
    readable = sum(counts[name] for name in ("win", "tie", "lose"))
    shares = {f"{name}_rate": counts[name] / readable if readable else None
              for name in ("win", "tie", "lose")}
    return {**{name: counts[name] for name in ("win", "tie", "lose", "none")}, **shares}


def quantile(values, q):
    values = sorted(values)
    at = q * (len(values) - 1)
    low = math.floor(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (at - low) * (values[high] - values[low])


def bootstrap_interval(values, seed=0, resamples=10000):
    draw = random.Random(seed)
    means = [mean(draw.choices(values, k=len(values))) for _ in range(resamples)]
    return quantile(means, 0.025), quantile(means, 0.975)


def permutation_p(differences, seed=0, permutations=20000):
    """Two-sided; exact up to 14 differences that are not 0."""
    signed = [d for d in differences if d != 0]
    observed = abs(math.fsum(signed)) - 1e-12 * math.fsum(map(abs, signed))

    def extreme(signs):
        return abs(math.fsum(s * d for s, d in zip(signs, signed))) >= observed

    if len(signed) <= 14:
        patterns = list(itertools.product((1, -1), repeat=len(signed)))
        return sum(map(extreme, patterns)) / len(patterns)
    draw = random.Random(seed)
    count = sum(extreme(draw.choices((1, -1), k=len(signed))) for _ in range(permutations))
    return (count + 1) / (permutations + 1)


def holm(p):
    """The least level at which Holm's step-down procedure rejects each hypothesis."""
    order = sorted(p)
    return [max(min(1.0, (len(p) - j) * q) for j, q in enumerate(order) if q <= one) for one in p]


def kind(row):
    """What a line of a results file is."""
    if row["id"] == "#setup":
        return "header"
    if "verdict" in row:
        return "judgement"
    return "failure" if "error" in row else "response"


def by_prompt(rows, value):
    """{run: {prompt id: the mean of value(row) over seeds}}, rows without a value left out."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        x = value(row)
        if x is not None:
            found[row["run"]][row["prompt_id"]].append(x)
    return {run: {prompt: mean(xs) for prompt, xs in prompts.items()}
            for run, prompts in found.items()}


def readers(responses):
    """{name: value(row)} of all that is averaged."""
    names = ("reward", "kl_to_reference", "response_tokens", "seconds")
    out = {name: lambda row, name=name: row.get(name) for name in names}
    for name in (*TEXT_METRICS, "coherence", "perplexity"):
        out[name] = lambda row, name=name: row.get("metrics", {}).get(name)
    unseen = {name for row in responses for name in row.get("metrics", {}).get("rewards") or {}}
    for name in sorted(unseen):
        out[f"rewards/{name}"] = lambda row, name=name: (
            row.get("metrics", {}).get("rewards") or {}).get(name)
    return out


def summary(rows, resamples=2000):
    """{run: {metric: {mean, low, high, n}, "normalised_reward", "p_reward", "judge", ...}}."""
    header = next((row for row in rows if kind(row) == "header"), {})
    responses = [row for row in rows if kind(row) == "response"]
    out = defaultdict(dict)
    rewards = {}
    for name, value in readers(responses).items():
        averages = by_prompt(responses, value)
        if name == "reward":
            rewards = averages
        for run, prompts in averages.items():
            values = list(prompts.values())
            low, high = bootstrap_interval(values, resamples=resamples)
            out[run][name] = {"mean": mean(values), "low": low, "high": high, "n": len(values)}
    for run in {row["run"] for row in rows if kind(row) != "header"}:
        mine = [row for row in rows if row.get("run") == run]
        out[run]["responses"] = sum(kind(row) == "response" for row in mine)
        out[run]["failures"] = sum(kind(row) == "failure" for row in mine)
        judged = [row for row in mine if kind(row) == "judgement"]
        if judged:
            out[run]["judge"] = win_rates(judged)
    against = header.get("against")
    if against in rewards:
        compare_rewards(out, rewards, against)
    return dict(out)


def compare_rewards(out, rewards, against):
    """Adds the normalised rewards, and p values of each run against one, Holm-corrected."""
    scale = normalised({run: mean(list(xs.values())) for run, xs in rewards.items()}, against)
    others = [run for run in rewards if run != against]
    p = []
    for run in others:
        shared = rewards[run].keys() & rewards[against].keys()
        p.append(permutation_p([rewards[run][x] - rewards[against][x] for x in sorted(shared)]))
    for run, value in scale.items():
        out[run]["normalised_reward"] = value
    for run, one, corrected in zip(others, p, holm(p)):
        out[run]["p_reward"], out[run]["p_reward_holm"] = one, corrected


def same(a, b):
    if a is None or b is None:
        return a is b
    return abs(a - b) <= TOLERANCE


def compare(rows):
    """One line for each figure of the rows that differs from its definition."""
    differences = []
    for row in rows:
        if kind(row) == "response":
            theirs = row.get("metrics", {})
            for name, right in text_metrics(row["response"]).items():
                if not same(theirs.get(name), right):
                    differences.append(f"{row['id']}: {name} is {theirs.get(name)}, not {right}")
        elif kind(row) == "judgement" and row["verdict"] != verdict(row["first"], row["second"]):
            differences.append(f"{row['id']}: {row['first']} and {row['second']} make no"
                               f" {row['verdict']}")
    return differences


def read(paths):
    return [json.loads(line) for path in paths
            for line in Path(path).read_text(encoding="utf-8").split("\n") if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="RESULTS.jsonl")
    rows = read(parser.parse_args().files)
    for run, figures in summary(rows).items():
        print(json.dumps({"run": run, **figures}, ensure_ascii=False))
    differences = compare(rows)
    print("\n".join(differences), file=sys.stderr, end="\n" if differences else "")
    compared = sum(kind(row) in ("response", "judgement") for row in rows)
    print(f"{compared} rows compared, {len(differences)} differences", file=sys.stderr)
    if not compared:
        print("nothing to compare", file=sys.stderr)
    return 1 if differences or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
